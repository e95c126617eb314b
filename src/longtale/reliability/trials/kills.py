"""An acknowledged event is never lost: a loaded server is killed again and again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest.mock import patch

import numpy as np

from longtale.data.record import Appended, Record, Stored
from longtale.feedback.group_commit import GroupCommit
from longtale.feedback.stores import open_store
from longtale.recommend.project import Project
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.server_process import ServerProcess
from longtale.reliability.wire import LOST, Lines, request
from longtale.reliability.worlds import N_ITEMS, N_USERS
from longtale.seeds import generator

_AT_ONCE = 8
_BATCH = 6  # most events of one request
_SOONEST_S, _LATEST_S = 0.02, 0.5
_PAGE = 10_000
_HASTE_S = 0.2

Event = Mapping[str, Any]


@dataclass
class Ledger:
    """What was sent, and what of it was acknowledged."""

    rng: np.random.Generator
    sent: dict[str, Event] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    last_seq: int = 0
    _numbers: Iterator[int] = field(default_factory=count)

    def next_events(self) -> list[Event]:
        """Give events that were never sent."""
        drawn = [self._event() for _ in range(int(self.rng.integers(1, _BATCH)))]
        self.sent.update({event["event_id"]: event for event in drawn})
        return drawn

    def acknowledge(self, events: Sequence[Event], seq: int) -> None:
        """Note what a server has promised to keep."""
        self.acknowledged.update(event["event_id"] for event in events)
        self.last_seq = max(self.last_seq, seq)

    def _event(self) -> Event:
        user, item = int(self.rng.integers(N_USERS)), int(self.rng.integers(N_ITEMS))
        return {
            "event_id": f"e{next(self._numbers)}",
            "kind": "click",
            "user": f"u{user}",
            "item": f"i{item}",
        }


def kills(bench: Bench) -> Outcome:
    """Kill a server that takes events in, start it again, and compare its log with its promises."""
    project = bench.project(bench.worlds.small, bench.room())
    ledger = Ledger(generator(0, "kills"))
    n_behind = 0
    for _ in range(bench.scale.n_kills):
        with bench.server(project) as server:
            n_behind += _known(server) < ledger.last_seq
            wait_s = float(ledger.rng.uniform(_SOONEST_S, _LATEST_S))
            asyncio.run(_loaded_until_killed(server, ledger, wait_s))
    with bench.server(project) as server:
        n_behind += _known(server) < ledger.last_seq
    found = _logged(project)
    lost = sorted(ledger.acknowledged - found.keys())
    invented = [id_ for id_, stored in found.items() if not _is_as_sent(stored, ledger.sent)]
    measured = {
        "kills": bench.scale.n_kills,
        "sent": len(ledger.sent),
        "acknowledged": len(ledger.acknowledged),
        "lost": len(lost),
        "invented": len(invented),
        "restarts_that_knew_less": n_behind,
    }
    is_kept = not lost and not invented and not n_behind and bool(ledger.acknowledged)
    wrong = f"acknowledged and not there: {lost[:3]}; there and not sent so: {invented[:3]}"
    return Outcome(measured, is_kept, "" if is_kept else wrong)


@contextmanager
def acknowledging_early() -> Iterator[None]:
    """Say that events are kept before they are."""
    submit = GroupCommit.submit

    def hasty(self: GroupCommit, records: Sequence[Record]) -> Future[Appended]:
        threading.Timer(_HASTE_S, submit, (self, records)).start()
        done: Future[Appended] = Future()
        done.set_result(Appended(0, (True,) * len(records)))
        return done

    with patch.object(GroupCommit, "submit", hasty):
        yield


async def _loaded_until_killed(server: ServerProcess, ledger: Ledger, wait_s: float) -> None:
    lines = Lines(server.url)

    async def keep_sending() -> None:
        while True:
            events = ledger.next_events()
            told = await lines.ask(request(server.url, "/v1/events", method="POST", body=events))
            if told is LOST:
                return
            if told.status == 200:
                ledger.acknowledge(events, told.json["seq"])

    senders = [asyncio.create_task(keep_sending()) for _ in range(_AT_ONCE)]
    await asyncio.sleep(wait_s)
    server.kill()
    await asyncio.gather(*senders)
    lines.close()


def _known(server: ServerProcess) -> int:
    return int(server.client.get("/v1/status").json()["seq"])


def _logged(project: Project) -> dict[str, Stored]:
    """Give all records of a log by their ids."""
    found: dict[str, Stored] = {}
    after = 0
    with closing(open_store(project.settings.serve.store, project.folder)) as store:
        while page := store.read(after, _PAGE):
            found.update({stored.record.id: stored for stored in page})
            after = page[-1].seq
    return found


def _is_as_sent(stored: Stored, sent: Mapping[str, Event]) -> bool:
    event = sent.get(stored.record.id)
    body = stored.record.body
    if event is None or body is None:
        return False
    return (stored.record.subject, body["item"]) == (event["user"], event["item"])
