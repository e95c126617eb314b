from __future__ import annotations

import errno
import resource
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier

import pytest
from tests.feedback.stored import event, files_with, fill

from longtale.errors import StoreError
from longtale.feedback import sqlite_store
from longtale.feedback.sqlite_store import SQLiteStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(file: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(file)
    yield store
    store.close()


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full; Python ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_compaction_leaves_no_byte_of_somebody_forgotten_in_any_file(store, tmp_path):
    fill(store, "Wilhelmina")
    assert files_with("Wilhelmina", tmp_path)
    store.forget("Wilhelmina")
    store.compact()
    assert files_with("other-7", tmp_path)
    assert not files_with("Wilhelmina", tmp_path)


def test_compaction_gives_the_room_back(store, file):
    fill(store, "Wilhelmina")
    store.compact()
    before = file.stat().st_size
    store.forget("Wilhelmina")
    store.compact()
    assert file.stat().st_size < before / 2


def test_compaction_says_so_when_a_reader_hinders_it(store, file, monkeypatch):
    monkeypatch.setattr(sqlite_store, "PATIENCE_S", 0.05)
    store.append([event("a")])
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM longtale_records").fetchall()
        with pytest.raises(StoreError, match="somebody has read it for"):
            store.compact()
    store.compact()


def test_readers_wait_for_no_writer(store, file):
    store.append([event("a")])
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM longtale_records")
        assert [stored.record.id for stored in store.read(0, 9)] == ["a"]
        assert store.last_seq() == 1


def test_a_file_that_another_process_holds_is_told_and_works_again_when_it_is_free(
    file, monkeypatch
):
    monkeypatch.setattr(sqlite_store, "PATIENCE_S", 0.05)
    store = SQLiteStore(file)
    store.append([event("a")])
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked; another process has held it"):
            store.append([event("b")])
        assert store.last_seq() == 1
    assert store.append([event("b")]).is_new == (True,)
    store.close()


def test_a_full_disk_is_told_keeps_what_was_there_and_works_again_with_room(store, file):
    store.append([event("a")])
    large = [event(f"e{k}") for k in range(5_000)]
    with largest_file(200_000):
        for _ in range(2):
            with pytest.raises(StoreError, match=r"events.db' cannot be used: .*(full|I/O error)"):
                store.append(large)
            assert [stored.record.id for stored in store.read(0, 9)] == ["a"]
    assert all(store.append(large).is_new)
    assert store.last_seq() == 5_001


def test_a_folder_that_is_not_there_is_told(tmp_path):
    store = SQLiteStore(tmp_path / "nowhere" / "events.db")
    with pytest.raises(StoreError, match="its folder must exist and be writable"):
        store.append([event("a")])


def test_a_file_that_may_not_be_written_is_told(tmp_path):
    # Root may write everywhere, but nobody may make a file in /proc.
    store = SQLiteStore(Path("/proc/events.db"))
    with pytest.raises(StoreError, match="its folder must exist and be writable"):
        store.append([event("a")])


def test_a_file_of_another_kind_is_left_as_it_is(file):
    file.write_text("a diary, and nothing to write over " * 100)
    with pytest.raises(StoreError, match="it is no SQLite file; name another one"):
        SQLiteStore(file).append([event("a")])
    assert file.read_text().startswith("a diary")


def test_a_store_of_a_newer_version_is_refused(store, file):
    store.append([event("a")])
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="has version 99, and this Longtale knows versions up to"):
        SQLiteStore(file).last_seq()


def test_a_disk_without_a_write_ahead_log_is_refused(file):
    class WithoutShm:
        def __init__(self, path: Path) -> None:
            self._inner = sqlite3.connect(path, isolation_level=None)

        def execute(self, statement, values=()):
            statement = statement.replace("journal_mode=WAL", "journal_mode=DELETE")
            return self._inner.execute(statement, values)

        def close(self) -> None:
            self._inner.close()

    with pytest.raises(StoreError, match="its journal is 'delete'"):
        SQLiteStore(file, connect=WithoutShm).last_seq()


def test_failures_of_the_system_are_told(file):
    def broken(path: Path):
        raise OSError(errno.EIO, "the disk is gone")

    with pytest.raises(StoreError, match="the disk is gone; look at its disk"):
        SQLiteStore(file, connect=broken).last_seq()


def test_who_is_turned_away_while_another_makes_the_file_tries_again(file):
    refusals = 3

    class Refusing(sqlite3.Connection):
        def execute(self, statement, values=()):
            nonlocal refusals
            if "journal_mode" in statement and refusals:
                refusals -= 1
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorname = "SQLITE_BUSY"
                raise error
            return super().execute(statement, values)

    store = SQLiteStore(
        file, connect=lambda path: sqlite3.connect(path, isolation_level=None, factory=Refusing)
    )
    assert store.append([event("a")]).is_new == (True,)
    assert refusals == 0
    store.close()


def test_many_who_make_the_same_file_at_once_all_succeed(tmp_path):
    n_stores = 6
    start = Barrier(n_stores)

    def make(turn: int, k: int) -> bool:
        store = SQLiteStore(tmp_path / f"{turn}.db")
        start.wait()
        is_new = store.append([event(f"e{k}")]).is_new
        store.close()
        return is_new == (True,)

    with ThreadPoolExecutor(n_stores) as threads:
        for turn in range(10):
            assert all(threads.map(make, [turn] * n_stores, range(n_stores)))


def test_a_commit_is_synced_and_what_is_removed_is_overwritten(file):
    statements = []

    def listening(path: Path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.set_trace_callback(statements.append)
        return connection

    store = SQLiteStore(file, connect=listening)
    store.append([event("a")])
    store.close()
    assert "PRAGMA synchronous=FULL" in statements
    assert "PRAGMA secure_delete=ON" in statements
