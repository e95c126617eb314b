"""The page about the client is true: its code runs against a real service."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.cli.films import write_films
from tests.serve.test_client import public
from tests.test_documents import ROOT, blocks_of

from longtale.cli.main import run
from longtale.recommend.project import Project
from longtale.serve.app import application
from longtale.serve.client import DEFAULT_URL, Client
from longtale.serve.opening import open_service
from longtale.serve.problems import Code
from longtale.serve.protocol import GuardedProtocol

PAGE = ROOT / "docs" / "client.md"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a few films, on this machine."""
    folder: Path = write_films(tmp_path_factory.mktemp("client"))
    assert run(["train", str(folder)]) == 0
    config = uvicorn.Config(
        application(open_service(Project.open(folder))),
        port=0,
        log_config=None,
        http=GuardedProtocol,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_code_on_the_page_runs(address, capsys):
    code = "\n".join(blocks_of(PAGE, "python client"))
    assert DEFAULT_URL in code
    page: dict[str, Any] = {"__name__": "page"}
    exec(code.replace(DEFAULT_URL, address), page)
    page["client"].close()
    said = capsys.readouterr().out
    assert "did you mean 'click'?" in said
    assert "422 bad_filter" in said


def test_the_page_names_every_method():
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in public(Client) if f"`{name}`" not in page} == {"close"}


def test_the_page_holds_every_code():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(code.value, str(code.status), code.summary) for code in Code]


def test_a_real_service_knows_at_once_what_it_was_told(address):
    with Client(address) as client:
        events = ({"kind": "view", "user": f"u{n}", "item": "i1"} for n in range(5001))
        counts = client.bulk("events", events)
        assert (counts.accepted, counts.sent) == (5001, 5001)
        assert client.recommend("u5000", n=1, min_seq=counts.seq).seq >= counts.seq
