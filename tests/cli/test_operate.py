from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from longtale.data.record import RecordKind
from longtale.feedback.sqlite_store import SQLiteStore
from longtale.serve.keys import KeyRing


def ring_of(films: Path) -> KeyRing:
    store = SQLiteStore(films / "events.db")
    ring = KeyRing()
    for stored in store.read(0, 99, kinds=[RecordKind.KEY]):
        ring = ring.with_record(stored.record)
    store.close()
    return ring


@pytest.mark.parametrize(("options", "scope"), [((), "read"), (("--scope", "admin"), "admin")])
def test_a_key_opens_what_its_scope_says_and_is_shown_once(films, longtale: Run, options, scope):
    ran = longtale("keys", "shop window", *options)
    assert ran.code == 0
    token = ran.out.strip()
    found = ring_of(films).check(token, now=0)
    assert (found.scope, found.name) == (scope, "shop window")
    assert token.encode() not in b"".join(file.read_bytes() for file in films.glob("events.db*"))


def test_a_key_is_told_as_json(films, longtale: Run):
    told = longtale("keys", "us", "--json").json
    assert set(told) == {"id", "scope", "name", "token"}
    assert ring_of(films).check(told["token"], now=0).id == told["id"]


def test_a_key_that_would_be_gone_at_once_is_not_made(films, longtale: Run, monkeypatch):
    monkeypatch.setenv("LONGTALE_SERVE__STORE", "memory:")
    ran = longtale("keys", "us")
    assert (ran.code, ran.out) == (2, "")
    assert "name a store that lasts, such as sqlite:///events.db" in ran.err


def test_a_scope_that_is_none_is_refused_with_those_there_are(films, longtale: Run):
    ran = longtale("keys", "us", "--scope", "root")
    assert ran.code == 2
    assert "'read', 'write', 'admin'" in ran.err


def test_serving_needs_a_project(longtale: Run, tmp_path):
    ran = longtale("serve", str(tmp_path / "nothing"))
    assert ran.code == 2


def test_an_address_that_is_taken_is_named(films, longtale: Run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = longtale("serve", "--port", str(taken.getsockname()[1]))
    assert ran.code == 3
    assert "Address already in use" in ran.err


@pytest.mark.parametrize("option", [("--workers", "0"), ("--port", "70000")])
def test_options_are_held_to_what_the_settings_allow(films, longtale: Run, option):
    ran = longtale("serve", *option)
    assert ran.code == 2
    assert option[0].strip("-") in ran.err


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    films, longtale: Run, monkeypatch
):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "longtale.serve.server", raising=False)
    monkeypatch.delattr("longtale.serve.server", raising=False)
    ran = longtale("serve")
    assert ran.code == 6
    assert "pip install 'longtale[serve]'" in ran.err
