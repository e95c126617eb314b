from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

import pytest
from tests.feedback.stored import event, slate
from tests.services import wait_until

from longtale.data.record import Appended, KeptSlate, Record
from longtale.errors import DataError, StoreError
from longtale.feedback.group_commit import GroupCommit, SlateKeeper
from longtale.feedback.memory_store import MemoryStore

AWAY = StoreError("the store is away; try again later")


class WatchedStore(MemoryStore):
    """Remembers the sizes of what was written; waits, or fails, when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.failure: Exception | None = None
        self.may_write = Event()
        self.may_write.set()
        self.is_writing = Event()

    def append(self, records: Sequence[Record]) -> Appended:
        self._write(records)
        return super().append(records)

    def keep_slates(self, slates: Sequence[KeptSlate]) -> None:
        self._write(slates)
        super().keep_slates(slates)

    def _write(self, things: Sequence[object]) -> None:
        self.sizes.append(len(things))
        self.is_writing.set()
        self.may_write.wait()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def commit(store) -> Iterator[Callable[..., GroupCommit]]:
    """Makes group commits of the store, and closes them."""
    made: list[GroupCommit] = []

    def make(**settings: float) -> GroupCommit:
        made.append(GroupCommit(store, **settings))
        return made[-1]

    yield make
    store.may_write.set()
    for each in made:
        each.close()


@pytest.fixture
def keeper(store) -> Iterator[Callable[..., SlateKeeper]]:
    """Makes keepers of slates, and closes them."""
    made: list[SlateKeeper] = []

    def make(**settings: float) -> SlateKeeper:
        made.append(SlateKeeper(store, **settings))
        return made[-1]

    yield make
    store.may_write.set()
    for each in made:
        each.close()


def hold(commit: GroupCommit, store: WatchedStore) -> None:
    """Keep the writer busy with one event, so that all that follows waits."""
    store.may_write.clear()
    commit.submit([event("first")])
    assert store.is_writing.wait(10)


def test_what_was_handed_in_is_in_the_store_when_the_future_says_so(store, commit):
    appended = commit().submit([event("a"), event("b")]).result(10)
    assert appended == Appended(2, (True, True))
    assert [stored.record.id for stored in store.read(0, 9)] == ["a", "b"]


def test_what_comes_while_one_is_written_shares_the_next_commit(store, commit):
    group = commit(wait_ms=0)
    hold(group, store)
    futures = [group.submit([event(f"e{k}")]) for k in range(50)]
    store.may_write.set()
    assert {future.result(10).seq for future in futures} == {51}
    assert store.sizes == [1, 50]


def test_the_first_waits_a_little_for_others(store, commit):
    group = commit(wait_ms=60_000, max_batch=3)
    futures = [group.submit([event("e0")])]
    assert not store.is_writing.wait(0.05)
    futures += [group.submit([event(f"e{k}")]) for k in (1, 2)]
    assert [future.result(10).seq for future in futures] == [3, 3, 3]
    assert store.sizes == [3]


def test_a_batch_holds_no_more_than_it_may_and_nothing_is_split(store, commit):
    group = commit(wait_ms=0, max_batch=5)
    hold(group, store)
    futures = [group.submit([event(f"{k}{j}") for j in range(2)]) for k in range(4)]
    futures.append(group.submit([event(f"large{j}") for j in range(9)]))
    store.may_write.set()
    wait(futures, 10)
    assert store.sizes == [1, 4, 4, 9]


def test_each_learns_of_its_own_records_what_was_new(store, commit):
    group = commit(wait_ms=0)
    hold(group, store)
    futures = [
        group.submit([event("a"), event("b"), event("a")]),
        group.submit([]),
        group.submit([event("b"), event("c"), event("first")]),
    ]
    store.may_write.set()
    assert [future.result(10).is_new for future in futures] == [
        (True, True, False),
        (),
        (False, True, False),
    ]
    assert store.sizes == [1, 6]


def test_events_of_many_threads_are_all_told_of_and_kept_once(store, commit):
    group = commit(wait_ms=0.5, max_batch=20)

    def send(thread: int) -> int:
        sent = [group.submit([event(f"{thread}-{k}"), event(f"all-{k}")]) for k in range(40)]
        return sum(sum(future.result(10).is_new) for future in sent)

    with ThreadPoolExecutor(8) as threads:
        n_new = sum(threads.map(send, range(8)))
    ids = [stored.record.id for stored in store.read(0, 10_000)]
    assert len(ids) == len(set(ids)) == n_new == 40 * 9


def test_when_the_store_fails_all_of_the_batch_hear_it_and_the_next_is_tried(store, commit):
    group = commit(wait_ms=0)
    hold(group, store)
    futures = [group.submit([event(f"e{k}")]) for k in range(3)]
    store.failure = AWAY
    store.may_write.set()
    for future in futures:
        with pytest.raises(StoreError, match="the store is away"):
            future.result(10)
    store.failure = None
    assert group.submit([event("after")]).result(10) == Appended(1, (True,))


def test_a_mistake_of_the_store_ends_no_thread_and_leaves_nobody_waiting(store, commit):
    group = commit()
    store.failure = RuntimeError("a mistake")
    with pytest.raises(RuntimeError, match="a mistake"):
        group.submit([event("a")]).result(10)
    store.failure = None
    assert group.submit([event("a")]).result(10).is_new == (True,)


def test_only_who_handed_in_what_cannot_be_kept_hears_of_it(store, commit):
    group = commit(wait_ms=0)
    hold(group, store)
    futures = [group.submit([event(f"e{k}")]) for k in range(40)]
    bad = group.submit([event("good"), event("half \ud800")])
    futures += [group.submit([event(f"f{k}")]) for k in range(40)]
    store.may_write.set()
    with pytest.raises(DataError, match="half of a surrogate pair"):
        bad.result(10)
    assert all(future.result(10).is_new == (True,) for future in futures)
    assert not store.find(["good"])
    assert len(store.sizes) < 20, "one bad submission must not cost a commit for each good one"


def test_what_is_too_much_is_refused_at_once_and_taken_again_later(store, commit):
    group = commit(wait_ms=0, max_waiting=10)
    hold(group, store)
    future = group.submit([event(f"e{k}") for k in range(8)])
    assert group.n_waiting == 8
    with pytest.raises(StoreError, match="8 records wait to be written already, and 10 may"):
        group.submit([event("a"), event("b"), event("c")])
    group.submit([event("a"), event("b")])
    store.may_write.set()
    future.result(10)
    wait_until(lambda: group.n_waiting == 0, "all is written")
    assert group.submit([event("c")]).result(10).is_new == (True,)


def test_more_than_may_wait_is_taken_when_nothing_waits(store, commit):
    large = [event(f"e{k}") for k in range(20)]
    assert all(commit(max_waiting=10).submit(large).result(10).is_new)


def test_what_was_cancelled_in_time_is_not_written(store, commit):
    group = commit(wait_ms=0)
    hold(group, store)
    gone, kept = group.submit([event("gone")]), group.submit([event("kept")])
    assert gone.cancel()
    store.may_write.set()
    assert kept.result(10).is_new == (True,)
    assert not store.find(["gone"])


def test_closing_writes_what_waits_and_takes_nothing_more(store, commit):
    group = commit(wait_ms=60_000)
    futures = [group.submit([event(f"e{k}")]) for k in range(9)]
    group.close()
    group.close()
    assert all(future.done() for future in futures)
    assert store.last_seq() == 9
    with pytest.raises(StoreError, match="the service is stopping"):
        group.submit([event("late")])


def test_slates_are_kept_in_batches_and_found_before_and_after(store, keeper):
    slates = keeper(pause_s=0.01, max_batch=4)
    store.may_write.clear()
    for k in range(9):
        slates.keep(slate(f"s{k}"))
    assert slates.slate("s8") == slate("s8")
    assert slates.slate("nobody") is None
    assert store.slate("s8") is None
    store.may_write.set()
    wait_until(lambda: slates.n_waiting == 0, "all are kept")
    assert store.slate("s8") == slates.slate("s8") == slate("s8")
    assert store.sizes[-1] < 4 < max(store.sizes) + 1
    assert slates.n_dropped == 0


def test_slates_of_a_user_are_those_that_wait_and_those_that_are_kept(store, keeper):
    slates = keeper(pause_s=0.01)
    slates.keep(KeptSlate("kept", "ann", 1, {}))
    wait_until(lambda: slates.n_waiting == 0, "the first is kept")
    store.failure = AWAY
    for at, name, user in ((2, "waits", "ann"), (3, "another's", "bob"), (3, "latest", "ann")):
        slates.keep(KeptSlate(name, user, at, {}))
    assert [each.id for each in slates.slates_of("ann", 9)] == ["latest", "waits", "kept"]
    assert [each.id for each in slates.slates_of("ann", 2)] == ["latest", "waits"]


def test_slates_wait_for_a_store_that_is_away_and_those_too_many_are_counted(store, keeper):
    slates = keeper(pause_s=0.01, max_waiting=5)
    store.failure = AWAY
    for k in range(8):
        slates.keep(slate(f"s{k}"))
    assert (slates.n_waiting, slates.n_dropped) == (5, 3)
    wait_until(lambda: len(store.sizes) > 2, "it was tried again")
    store.failure = None
    wait_until(lambda: slates.n_waiting == 0, "the store is back")
    assert sorted(each.id for each in store.slates_of("ann", 9)) == [f"s{k}" for k in range(5)]
    assert slates.n_dropped == 3


def test_a_slate_that_cannot_be_kept_is_dropped_and_the_others_are_kept(store, keeper, caplog):
    slates = keeper(pause_s=0.01)
    with caplog.at_level(logging.WARNING, logger="longtale"):
        slates.keep(slate("good"))
        slates.keep(KeptSlate("bad", "ann", 0, {"score": float("nan")}))
        slates.keep(slate("better"))
        wait_until(lambda: slates.n_waiting == 0, "all are dealt with")
    assert sorted(each.id for each in store.slates_of("ann", 9)) == ["better", "good"]
    assert slates.n_dropped == 1
    assert "dropped a slate slate=bad" in caplog.text


def test_closing_keeps_the_slates_that_wait(store, keeper):
    slates = keeper(pause_s=60, max_batch=2)
    for k in range(5):
        slates.keep(slate(f"s{k}"))
    slates.close()
    assert len(store.slates_of("ann", 9)) == 5
    slates.keep(slate("late"))
    assert slates.n_dropped == 1


def test_closing_gives_up_what_a_store_that_is_away_does_not_take(store, keeper):
    slates = keeper(pause_s=60, max_batch=2)
    store.failure = AWAY
    for k in range(5):
        slates.keep(slate(f"s{k}"))
    slates.close()
    assert (slates.n_waiting, slates.n_dropped) == (0, 5)


def test_slates_of_somebody_forgotten_are_not_written_afterwards(store, keeper):
    slates = keeper(pause_s=0.01)
    slates.keep(slate("early"))
    wait_until(lambda: slates.n_waiting == 0, "the first is kept")
    store.failure = AWAY
    slates.keep(slate("theirs"))
    slates.keep(slate("another's", user="bob"))
    assert slates.forget("ann") == 1
    store.forget("ann")
    store.failure = None
    wait_until(lambda: slates.n_waiting == 0, "the others are kept")
    assert store.slates_of("ann", 9) == []
    assert store.slate("another's") is not None


def test_slates_are_kept_after_all_that_waited_were_forgotten(store, keeper):
    slates = keeper(pause_s=0.2)
    slates.keep(slate("theirs"))
    time.sleep(0.1)  # it rests before it writes
    assert slates.forget("ann") == 1
    time.sleep(0.2)  # and finds nothing afterwards
    slates.keep(slate("another's", user="bob"))
    wait_until(lambda: slates.n_waiting == 0, "the later one is kept")
    assert slates.forget("bob") == 0


def test_forgetting_waits_for_the_slates_that_are_being_written(store, keeper):
    slates = keeper(pause_s=0.01)
    store.may_write.clear()
    slates.keep(slate("theirs"))
    assert store.is_writing.wait(10)
    with ThreadPoolExecutor(1) as other:
        forgetting = other.submit(slates.forget, "ann")
        assert not wait([forgetting], 0.05).done
        store.may_write.set()
        assert forgetting.result(10) == 0
    assert store.slate("theirs") is not None
