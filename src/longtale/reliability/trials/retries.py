"""Retries do not double-count: sent several times is as good as sent once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import numpy as np

from longtale.data.record import Record
from longtale.recommend.answer import Json
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running
from longtale.reliability.worlds import N_ITEMS, N_USERS
from longtale.seeds import generator
from longtale.serve.intake import EventReader
from longtale.serve.messages import Fault

_MOST_TIMES = 5
_BATCH = 50
_N_RESTARTS = 3
_AT_ONCE = 4
_N_COMPARED = 20
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_NEVER_S = 3600.0

Event = Mapping[str, Any]


@dataclass
class _Counts:
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0

    def add(self, answer: Mapping[str, Any]) -> None:
        self.accepted += answer["accepted"]
        self.duplicates += answer["duplicates"]
        self.rejected += answer["rejected"]


def retries(bench: Bench) -> Outcome:
    """Send each event one to five times, shuffled, across restarts; compare with a single send."""
    rng = generator(0, "retries")
    events = [_event(rng, n) for n in range(bench.scale.n_events)]
    times = rng.integers(1, _MOST_TIMES + 1, size=len(events))
    sent = [events[place] for place in rng.permutation(np.repeat(np.arange(len(events)), times))]
    often, counts = _state_after(bench, sent, n_restarts=_N_RESTARTS)
    first = list({event["event_id"]: event for event in sent}.values())
    once, _ = _state_after(bench, first, n_restarts=0)
    differing = [name for name in once if once[name] != often[name]]
    measured: dict[str, Json] = {
        "events": len(events),
        "sent": counts.accepted + counts.duplicates + counts.rejected,
        "accepted": counts.accepted,
        "duplicates": counts.duplicates,
        "restarts": _N_RESTARTS,
        "views_that_differ": [*differing],
    }
    is_kept = not differing and counts.accepted == len(events) and not counts.rejected
    wrong = f"{counts.accepted} of {len(events)} events count; other than after a single send: "
    return Outcome(measured, is_kept, "" if is_kept else f"{wrong}{differing or 'nothing'}")


@contextmanager
def ids_ignored() -> Iterator[None]:
    """Give each event that comes an id of its own, whatever id it has."""
    read = EventReader.__call__

    def forgetful(self: EventReader, row: object) -> Record | Fault:
        found = read(self, row)
        return replace(found, id=uuid.uuid4().hex) if isinstance(found, Record) else found

    with patch.object(EventReader, "__call__", forgetful):
        yield


def _event(rng: np.random.Generator, n: int) -> Event:
    return {
        "event_id": f"e{n}",
        "kind": ("click", "buy", "dismiss")[int(rng.integers(3))],
        "user": f"u{int(rng.integers(N_USERS + 20))}",
        "item": f"i{int(rng.integers(N_ITEMS))}",
        "time": (_BEGIN + timedelta(seconds=n)).isoformat(),
    }


def _state_after(
    bench: Bench, events: Sequence[Event], *, n_restarts: int
) -> tuple[dict[str, object], _Counts]:
    """Give the state after events came, with restarts in between, and what became of them."""
    project = bench.project(bench.worlds.small, bench.room(), learn_every_s=_NEVER_S)
    counts = _Counts()
    for part in np.array_split(np.arange(len(events)), n_restarts + 1):
        with bench.running(project) as running:
            own = [events[place] for place in part]
            for start in range(0, len(own), _BATCH):
                _send(running, own[start : start + _BATCH], counts, is_doubled=n_restarts > 0)
    with bench.running(project) as running:
        return _state(running), counts


def _send(running: Running, batch: Sequence[Event], counts: _Counts, *, is_doubled: bool) -> None:
    """Send a batch; where it is doubled, several times at the same moment."""

    def post(_: int) -> dict[str, Any]:
        answer = running.client.post("/v1/events", json=list(batch))
        answer.raise_for_status()
        return answer.json()

    n_times = _AT_ONCE if is_doubled else 1
    with ThreadPoolExecutor(n_times) as pool:
        for answer in pool.map(post, range(n_times)):
            counts.add(answer)


def _state(running: Running) -> dict[str, object]:
    """Give what follows from the events, in plain values."""
    engine = running.service.engine
    records = [s.record for s in running.service.store.read(0, 10**9)]
    live = engine.world.live
    users = [f"u{n}" for n in range(_N_COMPARED)]
    rows = live.user_rows(users)
    slates = {}
    for user in users:
        slate = running.client.get(f"/v1/recommend/{user}", params={"explain": "none"}).json()
        slates[user] = [(item["id"], item["score"]) for item in slate["items"]]
    return {
        "log": [(r.kind.value, r.subject, r.id, dict(r.body or {})) for r in records],
        "histories": live.histories(rows).items.tolist(),
        "seen": live.dismissed(rows).items.tolist(),
        "number_of_users": live.n_users,
        "slates": slates,
    }
