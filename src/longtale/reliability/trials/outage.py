"""Store outage: lists go on and say so, writes are refused, and all is well again soon after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import httpx

from longtale.contracts import EventStore
from longtale.feedback.stores import open_store
from longtale.recommend.answer import Answer
from longtale.reliability.bench import STORE, Bench
from longtale.reliability.faults import FailingDisk
from longtale.reliability.guarantee import Outcome
from longtale.reliability.postgres import Postgres, postgres
from longtale.reliability.running import asking, running
from longtale.serve import lists
from longtale.serve.service import Service

RECOVERY_S = 5.0
LASTS_S = 2.0
"""How long writes are tried during an outage; one may wait for the store's own patience."""
_PAUSE_S = 0.03
_NOTICED_S = 0.5
_GIVES_UP_S = 4 * RECOVERY_S

Fault = Callable[[], AbstractContextManager[object]]


@dataclass
class _Diary:
    """What readers and writers were told, with the time of each."""

    reads: list[tuple[float, int, bool]] = field(default_factory=list)
    writes: list[tuple[float, int, bool]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


def outage(bench: Bench) -> Outcome:
    """Let the store fail in several ways under load."""
    measured: dict[str, Any] = {}
    wrong: list[str] = []
    for name in ("broken", "full", "locked"):
        disk = FailingDisk(bench.room() / STORE)
        found = _tried(bench, disk.store(), getattr(disk, name))
        measured |= {f"{name}_{word}": value for word, value in found.items()}
        wrong += [f"disk {name}: {what}" for what in _faults(found)]
    with postgres() as server:
        if server is not None:
            store = open_store(server.url, bench.room())
            found = _tried(bench, store, lambda: _stopped(server))
            measured |= {f"postgresql_{word}": value for word, value in found.items()}
            wrong += [f"PostgreSQL stopped: {what}" for what in _faults(found)]
        else:
            measured["postgresql"] = "not installed"
    return Outcome(measured, not wrong, "; ".join(wrong))


@contextmanager
def lists_need_the_store() -> Iterator[None]:
    """Let each list ask the store first."""
    keep = lists.keep

    def needy(service: Service, answer: Answer, **named: Any) -> Answer:
        service.store.last_seq()
        return keep(service, answer, **named)

    with patch.object(lists, "keep", needy):
        yield


@contextmanager
def _stopped(server: Postgres) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def _tried(bench: Bench, store: EventStore, fault: Fault) -> Mapping[str, Any]:
    """Give figures of an outage."""
    project = bench.project(bench.worlds.small, bench.room())
    diary = _Diary()
    with running(project, store=store) as server:
        server.client.get("/v1/recommend/u1").raise_for_status()
        with _reading(server.url, diary):
            with fault():
                broke_at = time.monotonic()
                while time.monotonic() < broke_at + LASTS_S:
                    _write(server.client, diary)
                mended_at = time.monotonic()
            recovered_at = _recovered(server.client, diary, time.monotonic())
        known = {stored.record.id for stored in store.find(diary.acknowledged)}
    during = [read for read in diary.reads if broke_at < read[0] < mended_at]
    refused = [at for at, status, _ in diary.writes if broke_at < at < mended_at and status == 503]
    noticed_at = refused[0] + _NOTICED_S if refused else mended_at
    writes = [(status, says) for at, status, says in diary.writes if broke_at < at < mended_at]
    return {
        "reads": len(during),
        "reads_not_served": sum(status != 200 for _, status, _ in diary.reads),
        "reads_not_flagged": sum(at > noticed_at and not flag for at, _, flag in during),
        "writes": len(writes),
        "writes_not_refused": sum(status != 503 or not says for status, says in writes),
        "lost": len(set(diary.acknowledged) - known),
        "recovery_s": round(recovered_at - mended_at, 2),
    }


def _faults(found: Mapping[str, Any]) -> list[str]:
    must_be_none = ("reads_not_served", "reads_not_flagged", "writes_not_refused", "lost")
    wrong = [f"{name} {found[name]}" for name in must_be_none if found[name]]
    if found["recovery_s"] > RECOVERY_S:
        wrong.append(f"recovery took {found['recovery_s']} s")
    return wrong if found["reads"] and found["writes"] else [*wrong, "nothing was asked meanwhile"]


def _write(client: httpx.Client, diary: _Diary) -> bool:
    """Send an event; say whether it was taken."""
    own_id = f"e{len(diary.writes)}"
    event = {"event_id": own_id, "kind": "click", "user": "u1", "item": "i1"}
    answer = client.post("/v1/events", json=event)
    says = "retry-after" in answer.headers
    diary.writes.append((time.monotonic(), answer.status_code, says))
    if answer.status_code == 200:
        diary.acknowledged.append(own_id)
    time.sleep(_PAUSE_S)
    return answer.status_code == 200


def _recovered(client: httpx.Client, diary: _Diary, begun: float) -> float:
    """Give when a write was taken and a list came that is not flagged any more."""
    while time.monotonic() < begun + _GIVES_UP_S:
        is_taken = _write(client, diary)
        degraded = client.get("/v1/recommend/u1").json().get("degraded", ["store"])
        if is_taken and "store" not in degraded:
            break
    return time.monotonic()


@contextmanager
def _reading(url: str, diary: _Diary) -> Iterator[None]:
    """Ask for lists in a thread for as long as the context lasts."""
    stopping = threading.Event()

    def read() -> None:
        with asking(url) as client:
            while not stopping.wait(_PAUSE_S):
                begun = time.monotonic()
                answer = client.get("/v1/recommend/u2")
                degraded = answer.json().get("degraded", [])
                diary.reads.append((begun, answer.status_code, "store" in degraded))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        stopping.set()
        reader.join()
