"""What one process of the service is made of; the modules beside it say what is done with it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anyio import CapacityLimiter

from longtale.contracts import EventStore
from longtale.data.record import Appended, Record
from longtale.errors import QueryError, StoreError
from longtale.feedback.group_commit import SlateKeeper
from longtale.feedback.sessions import Limiter
from longtale.monitor.telemetry import Telemetry
from longtale.monitor.tracing import Tracing
from longtale.recommend.answer import Answer
from longtale.recommend.service_settings import ServeSettings
from longtale.recommend.settings import LongtaleSettings
from longtale.serve.admission import Gate
from longtale.serve.engine import Engine
from longtale.serve.jobs import Job
from longtale.serve.pace import Pace
from longtale.serve.registry import Registry
from longtale.serve.visits import Visits


@dataclass(eq=False)
class Service:
    """Engine, store and what stands around them; one per process.

    Args:
        engine: the running model.
        settings: of the whole project.
        visits: what anonymous visitors touched.
        limiter: shares of requests.
        telemetry: what is counted.
        keeper: keeps slates in the background.
        registry: the bundles that may answer.
        gate: the places for requests.
        one_at_a_time: lets one thread work on lists: several would wait for the interpreter, and
            each other, longer than they work. More cores take more processes.
        pace: how long each rung of the ladder takes.
        tracing: makes spans of requests, where they are wanted.
        folder: of the project.
        jobs: what is done in the background, by name.
        patching: is held by who reads a document, changes it, and puts it back.
        started_at: seconds since 1970.
        store_failed_at: when the store failed last, seconds since 1970; 0 while all is well.
    """

    engine: Engine
    settings: LongtaleSettings
    visits: Visits
    limiter: Limiter
    telemetry: Telemetry
    keeper: SlateKeeper
    registry: Registry
    gate: Gate
    one_at_a_time: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    pace: Pace = field(default_factory=Pace)
    tracing: Tracing = field(default_factory=Tracing)
    folder: Path = Path()
    jobs: dict[str, Job] = field(default_factory=dict)
    patching: threading.Lock = field(default_factory=threading.Lock)
    started_at: float = field(default_factory=time.time)
    store_failed_at: float = 0.0

    @property
    def serve(self) -> ServeSettings:
        """The settings of the service."""
        return self.settings.serve

    @property
    def store(self) -> EventStore:
        """The log."""
        return self.engine.store

    @property
    def degraded(self) -> tuple[str, ...]:
        """What does not work as it should at the moment."""
        found = ["store"] if self.store_failed_at else []
        if self.visits.is_degraded or self.limiter.is_degraded:
            found.append("sessions")
        return tuple(found)

    def append(self, records: Sequence[Record]) -> Appended:
        """Keep records durably, and know them; waits in this thread.

        Raises:
            StoreError: they could not be kept.
        """
        with self.noting_the_store():
            done = self.engine.submit(records).result()
        return self._appended(records, done)

    def append_unless_newer(self, records: Sequence[Record], seen: int) -> Appended | None:
        """Keep records, and know them, unless they were made of what is not so any more: None.

        Args:
            records: the first says what they are about.
            seen: number of the log up to which was known what they were made of.

        Raises:
            StoreError: they could not be kept.
        """
        with self.noting_the_store():
            done = self.store.append_unless_newer(records, seen)
            if done is None:
                return None
            self.engine.catch_up(done.seq)
        return self._appended(records, done)

    async def append_soon(self, records: Sequence[Record]) -> Appended:
        """Keep records durably, and know them; many may wait at once.

        Raises:
            StoreError: they could not be kept.
        """
        with self.noting_the_store():
            done = await asyncio.wrap_future(self.engine.submit(records))
        return self._appended(records, done)

    @contextmanager
    def noting_the_store(self) -> Iterator[None]:
        """Remember whether the store could be written; nothing is swallowed."""
        try:
            yield
        except StoreError:
            self.note_store(is_up=False)
            raise
        self.note_store(is_up=True)

    def _appended(self, records: Sequence[Record], done: Appended) -> Appended:
        if self.visits.are_shared:
            new = zip(records, done.is_new, strict=True)
            self.visits.note(record for record, is_new in new if is_new)
        self.telemetry.acknowledged(done.seq)
        self.telemetry.applied(self.engine.world.seq)
        return done

    def catch_up(self, min_seq: int) -> None:
        """Know the log at least up to a number.

        Raises:
            QueryError: the log does not go so far.
            StoreError: the log cannot be read, and what is known does not reach so far.
        """
        if min_seq <= self.engine.world.seq:
            return
        reached = self.engine.catch_up(min_seq)
        if reached < min_seq:
            raise QueryError(
                f"min_seq is {min_seq}, and the log ends at {reached}; "
                "give a seq that an earlier answer named"
            )

    def count(self, answer: Answer) -> None:
        """Count a slate that is about to be sent."""
        self.telemetry.slate_served(
            items=[item.id for item in answer.items],
            bands=[item.band.value for item in answer.items],
            degraded=answer.degraded,
            stages=answer.stages,
        )

    def note_store(self, *, is_up: bool) -> None:
        """Remember whether the store could be used last."""
        self.store_failed_at = 0.0 if is_up else time.time()
        self.telemetry.store_is(up=is_up)

    def close(self) -> None:
        """Write what waits, and let go of all that was opened."""
        self.keeper.close()
        self.engine.close()
        self.tracing.close()
