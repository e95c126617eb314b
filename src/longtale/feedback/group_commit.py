"""Many small writes as few large ones, each by a thread of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain, islice
from threading import Condition, Thread
from typing import Protocol

from longtale import log
from longtale.contracts import EventStore
from longtale.data.record import Appended, KeptSlate, Record
from longtale.errors import DataError, StoreError

_CLOSED = "events are no longer taken: the service is stopping; send them again later"


class Appending(Protocol):
    """The part of an event store that is needed here."""

    def append(self, records: Sequence[Record]) -> Appended:
        """Keep records, all or none; see `EventStore`."""
        ...


@dataclass(frozen=True)
class _Submission:
    records: tuple[Record, ...]
    at: float = field(default_factory=time.monotonic)
    future: Future[Appended] = field(default_factory=Future)


class GroupCommit:
    """Lets records that come at the same time share one commit.

    Making records durable costs one wait for the disk, however many they are. So one thread takes
    all that came while it was busy, or a little later (DeWitt et al. 1984,
    doi:10.1145/602259.602261).

    Args:
        store: where they go.
        wait_ms: how long the first of a batch waits for others.
        max_batch: records after which a batch waits no longer.
        max_waiting: records that may wait; those beyond are refused.

    Example:
        >>> from longtale.data.record import RecordKind
        >>> from longtale.feedback.memory_store import MemoryStore
        >>> commit = GroupCommit(MemoryStore())
        >>> commit.submit([Record(RecordKind.ITEM, "i1", {"title": "Heat"}, "r1", 0)]).result()
        Appended(seq=1, is_new=(True,))
        >>> commit.close()
    """

    def __init__(
        self,
        store: Appending,
        *,
        wait_ms: float = 2.0,
        max_batch: int = 5_000,
        max_waiting: int = 50_000,
    ) -> None:
        self._store = store
        self._wait_s = wait_ms / 1000
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[_Submission] = deque()
        self._n_waiting = 0
        self._is_closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._write, name="longtale-commit", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Records that wait to be written."""
        return self._n_waiting

    def submit(self, records: Sequence[Record]) -> Future[Appended]:
        """Hand in records; what is promised is kept when the future has its result.

        The future fails with StoreError where the store fails, and with DataError where these
        records cannot be kept. Cancelled in time, nothing is written.

        Raises:
            StoreError: too many wait already, or `close` was called.
        """
        submission = _Submission(tuple(records))
        with self._changed:
            if self._is_closed:
                raise StoreError(_CLOSED)
            if self._waiting and self._n_waiting + len(records) > self._max_waiting:
                raise StoreError(
                    f"{self._n_waiting} records wait to be written already, and "
                    f"{self._max_waiting} may; send these {len(records)} again later"
                )
            self._waiting.append(submission)
            self._n_waiting += len(records)
            if len(self._waiting) == 1 or self._is_batch_full():
                self._changed.notify()
        return submission.future

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _write(self) -> None:
        while batch := self._next_batch():
            self._commit([each for each in batch if each.future.set_running_or_notify_cancel()])

    def _next_batch(self) -> list[_Submission]:
        """Give what is to be written next; nothing once all is written and closed."""
        batch: list[_Submission] = []
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._waiting:
                patience = self._waiting[0].at + self._wait_s - time.monotonic()
                self._changed.wait_for(self._is_batch_full, timeout=max(0.0, patience))
            n_records = 0
            while self._waiting:
                n_records += len(self._waiting[0].records)
                if batch and n_records > self._max_batch:
                    break
                batch.append(self._waiting.popleft())
            self._n_waiting = sum(len(each.records) for each in self._waiting)
        return batch

    def _is_batch_full(self) -> bool:
        return self._is_closed or self._n_waiting >= self._max_batch

    def _commit(self, batch: Sequence[_Submission]) -> None:
        if not batch:
            return
        try:
            appended = self._store.append(list(chain.from_iterable(s.records for s in batch)))
        except DataError as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
            else:  # halves: one bad record among thousands costs a dozen commits, not thousands
                self._commit(batch[: len(batch) // 2])
                self._commit(batch[len(batch) // 2 :])
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            for submission in batch:
                submission.future.set_exception(error)
        else:
            is_new = iter(appended.is_new)
            for submission in batch:
                own = tuple(islice(is_new, len(submission.records)))
                submission.future.set_result(Appended(appended.seq, own))


class SlateKeeper:
    """Keeps slates in the background, so that no answer waits for it.

    While the store is away they wait; when too many do, new ones are dropped and counted.

    Args:
        store: where they go.
        max_waiting: slates that may wait.
        max_batch: slates written at once.
        pause_s: how long it gathers slates, and how long it lets a store rest that failed.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        max_waiting: int = 10_000,
        max_batch: int = 500,
        pause_s: float = 0.2,
    ) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._pause_s = pause_s
        self._waiting: dict[str, KeptSlate] = {}
        self._is_writing = False
        self._is_closed = False
        self._changed = Condition()
        self.n_dropped = 0
        """Slates that nobody will find."""
        self._thread = Thread(target=self._write, name="longtale-slates", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Slates that are not in the store yet."""
        return len(self._waiting)

    def keep(self, slate: KeptSlate) -> None:
        """Hand in a slate; returns at once."""
        with self._changed:
            if self._is_closed or len(self._waiting) >= self._max_waiting:
                self._drop(1)
                return
            self._waiting.setdefault(slate.id, slate)
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def slate(self, slate_id: str) -> KeptSlate | None:
        """Give a slate that waits or is in the store; None where it is not known."""
        waiting = self._waiting.get(slate_id)
        return self._store.slate(slate_id) if waiting is None else waiting

    def slates_of(self, user: str, n: int) -> list[KeptSlate]:
        """Give the last n slates of a user, the latest first, also those that wait."""
        with self._changed:
            waiting = {slate.id: slate for slate in self._waiting.values() if slate.user == user}
        kept = [slate for slate in self._store.slates_of(user, n) if slate.id not in waiting]
        return sorted([*reversed(waiting.values()), *kept], key=lambda slate: -slate.at)[:n]

    def forget(self, user: str) -> int:
        """Drop the slates of a user that wait, and say how many; the store has its own `forget`.

        When it returns, none that was handed in before is written any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_writing)
            theirs = [slate.id for slate in self._waiting.values() if slate.user == user]
            for slate_id in theirs:
                del self._waiting[slate_id]
        return len(theirs)

    def close(self) -> None:
        """Write what waits, and drop what the store does not take."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _write(self) -> None:
        while batch := self._next_batch():
            is_done = self._keep(batch)
            with self._changed:
                if not is_done and self._is_closed:  # there is no later
                    self._drop(len(self._waiting))
                    self._waiting.clear()
                for slate in batch if is_done else ():
                    del self._waiting[slate.id]
                self._is_writing = False
                self._changed.notify_all()

    def _next_batch(self) -> list[KeptSlate]:
        """Give what is to be written next; nothing once all is written and closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                self._changed.wait_for(lambda: self._is_closed, timeout=self._pause_s)
                if self._waiting or self._is_closed:
                    break  # else all that waited was forgotten in the pause
            self._is_writing = bool(self._waiting)
            return list(islice(self._waiting.values(), self._max_batch))

    def _keep(self, batch: Sequence[KeptSlate]) -> bool:
        """Say whether nothing of the batch need be tried again."""
        try:
            self._store.keep_slates(batch)
        except StoreError:
            return False
        except Exception as error:  # noqa: BLE001  one bad slate must not end the keeping of others
            if len(batch) > 1:
                half = len(batch) // 2
                return self._keep(batch[:half]) and self._keep(batch[half:])
            log.warn("dropped a slate", slate=batch[0].id, error=error)
            self._drop(1)
        return True

    def _drop(self, n_slates: int) -> None:
        with self._changed:
            self.n_dropped += n_slates
