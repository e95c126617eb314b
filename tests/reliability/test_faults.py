from __future__ import annotations

import pytest

from longtale.data.record import Record, RecordKind
from longtale.errors import StoreError
from longtale.feedback import connections, sqlite_store
from longtale.reliability.faults import FailingDisk


def record(name: str) -> Record:
    return Record(RecordKind.EVENT, "ann", {"item": "i1"}, name, 0)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    for module in (connections, sqlite_store):
        monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    return FailingDisk(tmp_path / "events.db")


@pytest.fixture
def store(disk):
    store = disk.store()
    store.append([record("before")])
    yield store
    store.close()


def test_nothing_can_be_read_or_written_on_a_broken_disk(disk, store):
    with disk.broken():
        with pytest.raises(StoreError, match="disk I/O error"):
            store.append([record("meanwhile")])
        with pytest.raises(StoreError, match="disk I/O error"):
            store.last_seq()
    assert store.append([record("after")]).seq == 2


def test_a_full_disk_can_be_read(disk, store):
    with disk.full():
        with pytest.raises(StoreError, match="make room"):
            store.append([record("meanwhile")])
        assert store.last_seq() == 1
    assert store.append([record("after")]).seq == 2


def test_a_locked_file_can_be_read(disk, store):
    with disk.locked():
        with pytest.raises(StoreError, match="locked"):
            store.append([record("meanwhile")])
        assert store.last_seq() == 1
    assert store.append([record("after")]).seq == 2
