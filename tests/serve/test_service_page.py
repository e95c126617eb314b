"""The page about the service is true: each of its requests runs, and does what it says."""

from __future__ import annotations

import json
import re
import shlex

from starlette.testclient import TestClient
from tests.test_documents import ROOT, blocks_of

from longtale.serve.app import ENDPOINTS
from longtale.serve.standing import EVALUATIONS

PAGE = ROOT / "docs" / "service.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = {
    "events.ndjson": '{"kind": "click", "user": "42", "item": "i5"}\n'
    '{"kind": "clik", "user": "42", "item": "i5"}\n',
    "items.ndjson": '{"id": "i100", "title": "x"}\n',
}


def requests() -> list[str]:
    """Give each line of the page that asks the service."""
    lines = [line for block in blocks_of(PAGE, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("curl ")]


def sent(client: TestClient, line: str, names: dict[str, str]):
    """Do what curl does with a line, with shell variables filled in."""
    filled = re.sub(r"\$([A-Z_]+)", lambda found: names[found[1]], line)
    method, url, content = "", "", None
    words = iter(shlex.split(filled)[1:])
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-d":
                content = next(words)
            case "--data-binary":
                content = FILES[next(words).removeprefix("@")]
            case _:
                assert not word.startswith("-"), word
                url = word
    assert url.startswith("localhost:8000/")
    method = method or ("GET" if content is None else "POST")
    form = {"content-type": "application/x-www-form-urlencoded"}  # what curl says of -d
    headers = {} if content is None else form
    return client.request(method, f"http://{url}", content=content, headers=headers)


def test_every_request_on_the_page_is_answered(client):
    """One after the other, as somebody would try them."""
    names = {"VERSION": "second"}
    n_sent = 0
    for line in requests():
        answer = sent(client, line, names)
        assert answer.status_code == 200, f"{line}: {answer.text}"
        told = answer.json()
        if "seq" in told:
            names["SEQ"] = str(told["seq"])
        if "/v1/recommend/" in line and told["items"]:
            names |= {"SLATE_ID": told["slate_id"], "ITEM": told["items"][0]["id"]}
        assert not told.get("degraded")
        n_sent += 1
    assert n_sent > 25


def test_the_example_of_an_answer_is_one(client):
    [example] = [json.loads(block) for block in blocks_of(PAGE, "json")]
    lines = FILES["events.ndjson"]
    told = client.post("http://localhost:8000/v1/bulk/events", content=lines).json()
    assert {**told, "seq": example["seq"]} == example


def test_the_page_speaks_of_every_endpoint():
    told = re.sub(r"\s+", " ", TEXT)
    for endpoint in ENDPOINTS:
        plain = endpoint.path.replace("{what}", "events").partition("/{")[0]
        assert plain in told, endpoint.path


def test_names_on_the_page_are_those_of_the_code():
    assert f"`{EVALUATIONS}/`" in TEXT
    for name in re.findall(r"\]\((\w+\.md)\)", TEXT):
        assert (PAGE.parent / name).is_file(), name
