from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.feedback.stored import event

from longtale.errors import MissingExtraError, SettingsError, StoreError
from longtale.feedback.memory_store import MemoryStore
from longtale.feedback.postgres_store import PostgresStore
from longtale.feedback.sqlite_store import SQLiteStore
from longtale.feedback.stores import open_store


def test_memory_is_forgotten_with_its_store(tmp_path):
    store = open_store("memory:", tmp_path)
    assert isinstance(store, MemoryStore)
    store.append([event("a")])
    assert open_store("memory:", tmp_path).last_seq() == 0


def test_three_slashes_stand_before_a_file_relative_to_the_folder(tmp_path):
    store = open_store("sqlite:///my events.db", tmp_path)
    assert isinstance(store, SQLiteStore)
    assert (tmp_path / "my events.db").is_file()
    store.close()


def test_four_slashes_stand_before_an_absolute_path(tmp_path):
    open_store(f"sqlite:///{tmp_path / 'events.db'}", Path("/nowhere")).close()
    assert (tmp_path / "events.db").is_file()


def test_a_server_is_found_by_its_url(postgres_url, tmp_path):
    for url in (postgres_url, postgres_url.replace("postgresql:", "postgres:")):
        store = open_store(url, tmp_path)
        assert isinstance(store, PostgresStore)
        store.close()


def test_a_store_that_cannot_be_reached_is_told_at_once(tmp_path):
    with pytest.raises(StoreError, match="its folder must exist"):
        open_store("sqlite:///nowhere/events.db", tmp_path)
    with pytest.raises(StoreError, match="see that it runs"):
        open_store(f"postgresql://user:geheim@/shop?host={tmp_path}", tmp_path)


@pytest.mark.parametrize(
    "url", ["", "events.db", "sqlite:///", "sqlite://events.db", "mysql://user:geheim@host/shop"]
)
def test_other_addresses_are_refused_and_no_password_is_shown(url, tmp_path):
    with pytest.raises(SettingsError, match="expected memory:, sqlite:///FILE") as caught:
        open_store(url, tmp_path)
    assert "geheim" not in str(caught.value)


def test_a_missing_driver_is_told_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "longtale.feedback.postgres_store")
    with pytest.raises(
        MissingExtraError, match=r"'psycopg'.*pip install 'longtale\[serve,stores\]'"
    ):
        open_store("postgresql://localhost/shop", tmp_path)
