"""What a process does beside answering: follow the log, place items, learn."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Literal

from longtale import log
from longtale.errors import StoreError
from longtale.serve.jobs import Job
from longtale.serve.operations import note_model
from longtale.serve.service import Service

FOLLOW_EVERY_S = 0.05
"""How often a process looks for what others wrote."""
SETTLES_S = 3.0
"""How long a store counts as failing after it failed: one that can be read need not be writable."""


class Background:
    """Three threads that do one thing each, again and again, whatever goes wrong.

    Args:
        service: for whom.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stopping = threading.Event()
        self._n_dropped = 0
        works: tuple[tuple[str, float, Callable[[], object]], ...] = (
            ("follow", FOLLOW_EVERY_S, self._follow),
            ("catalog", service.serve.catalog_every_s, self._renew),
            ("learn", service.serve.learn_every_s, self._learn),
        )
        service.jobs.update({name: Job(name, every_s) for name, every_s, _ in works})
        self._threads = [
            threading.Thread(target=self._again, args=work, name=f"longtale-{work[0]}", daemon=True)
            for work in works
        ]

    def start(self) -> None:
        """Begin."""
        note_model(self._service)
        self._service.note_store(is_up=True)
        gc.collect()
        gc.freeze()  # a model has a million objects that last: to look through them takes 80 ms
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after what was begun is done."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _again(self, name: str, every_s: float, work: Callable[[], object]) -> None:
        while not self._stopping.wait(every_s):
            try:
                with self._service.jobs[name].once():
                    work()
            except StoreError as error:
                self._service.note_store(is_up=False)
                log.warn("the store cannot be read", work=name, reason=str(error))
                self._stopping.wait(1.0)
            except Exception as error:  # noqa: BLE001  the next time may go well
                log.warn("work in the background failed", work=name, error=repr(error))

    def _follow(self) -> None:
        service = self._service
        last = service.store.last_seq()
        if 0 < service.store_failed_at < time.time() - SETTLES_S:
            service.note_store(is_up=True)
        service.telemetry.acknowledged(last)
        if last > service.engine.world.seq:
            service.engine.catch_up(last)
        service.telemetry.applied(service.engine.world.seq)
        service.telemetry.store_is(up=not service.visits.is_degraded, store="sessions")
        n_dropped = service.keeper.n_dropped
        if n_dropped > self._n_dropped:
            service.telemetry.slates_dropped(n_dropped - self._n_dropped)
            self._n_dropped = n_dropped

    def _renew(self) -> None:
        before = self._service.engine.world.recommender.version
        self._timed("catalog", self._service.engine.renew)
        if self._service.engine.world.recommender.version != before:
            note_model(self._service)

    def _learn(self) -> None:
        if self._timed("learn", self._service.engine.learn):
            note_model(self._service)

    def _timed(self, name: Literal["catalog", "learn"], work: Callable[[], int]) -> int:
        begun = time.perf_counter()
        try:
            done = work()
        except Exception:
            self._service.telemetry.refresh_failed(name)
            raise
        if done:
            gc.freeze()
            self._service.telemetry.refreshed(name, seconds=time.perf_counter() - begun)
        return done
