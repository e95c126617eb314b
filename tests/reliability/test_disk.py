from __future__ import annotations

import numpy as np
import pytest

from longtale.reliability.disk import Cut, Disk, Write

FAR = 1_000


def outcomes(disk: Disk) -> set[tuple[tuple[str, bytes], ...]]:
    """Give all that may be left, as far as many tries show it."""
    return {tuple(disk.left(np.random.default_rng(seed))) for seed in range(300)}


def contents(disk: Disk) -> set[bytes]:
    """Give all that may be left of its one file."""
    return {content for ((_, content),) in outcomes(disk)}


@pytest.fixture
def disk() -> Disk:
    """A disk with a log `a-wal` that holds `old` for sure."""
    disk = Disk(FAR)
    disk.opened("a-wal")
    disk.changed("a-wal", Write(0, b"old"))
    disk.synced("a-wal")
    return disk


def test_what_was_synced_is_there(disk):
    assert outcomes(disk) == {(("a-wal", b"old"),)}


def test_what_was_not_synced_may_be_lost_torn_or_there(disk):
    disk.changed("a-wal", Write(0, b"new"))
    assert contents(disk) == {b"old", b"nld", b"ned", b"new"}


def test_unsynced_writes_reach_the_disk_in_any_order(disk):
    disk.changed("a-wal", Write(3, b"1"))
    disk.changed("a-wal", Write(4, b"2"))
    assert contents(disk) == {b"old", b"old1", b"old\0", b"old\x002", b"old12"}


def test_a_file_is_cut_or_not(disk):
    disk.changed("a-wal", Cut(1))
    assert contents(disk) == {b"old", b"o"}


def test_a_file_that_was_removed_may_come_back_until_its_folder_is_synced(disk):
    disk.removed("a-wal", is_synced=False)
    assert outcomes(disk) == {(), (("a-wal", b"old"),)}
    disk.opened("b-journal")
    disk.synced("b-journal")
    assert outcomes(disk) == {(("b-journal", b""),)}


def test_a_file_that_was_removed_and_synced_is_gone(disk):
    disk.removed("a-wal", is_synced=True)
    assert outcomes(disk) == {()}


def test_a_new_file_without_a_synced_folder_may_have_no_name(disk):
    disk.opened("b.db")
    disk.changed("b.db", Write(0, b"x"))
    disk.synced("b.db")
    old = ("a-wal", b"old")
    assert outcomes(disk) == {(old,), (old, ("b.db", b"x"))}


def test_a_file_made_again_may_still_be_the_old_one(disk):
    disk.removed("a-wal", is_synced=False)
    disk.opened("a-wal")
    assert outcomes(disk) == {(("a-wal", b"old"),), (("a-wal", b""),)}


def test_what_comes_after_the_cut_leaves_no_trace():
    disk = Disk(2)
    disk.opened("a-wal")
    disk.changed("a-wal", Write(0, b"in time"))
    assert not disk.is_cut
    disk.synced("a-wal")
    assert disk.is_cut
    disk.changed("a-wal", Write(0, b"too late"))
    disk.synced("a-wal")
    disk.removed("a-wal", is_synced=True)
    disk.opened("b-wal")
    assert outcomes(disk) == {(("a-wal", b"in time"),)}
