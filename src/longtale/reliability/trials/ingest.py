"""Durable ingest: so many events a second, each safe on disk before it is acknowledged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from longtale.data.record import Appended, Record
from longtale.feedback.sql_store import SQLStore
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.load import closed_loop, open_loop, percentile, with_status
from longtale.reliability.noop import noop_server
from longtale.reliability.server_process import ServerProcess
from longtale.reliability.wire import request
from longtale.reliability.worlds import N_ITEMS, N_USERS

SINGLES_PER_S, SINGLES_P99_MS, BULK_PER_S = 500.0, 50.0, 10_000.0
_AT_ONCE = 32
_PARTS = 4  # of a measurement, between which the endpoint that does nothing is measured
_SYNC_S = 0.001


def ingest(bench: Bench) -> Outcome:
    """Send single events as fast as they are taken, at a rate, and in bulk."""
    seconds = bench.scale.load_s
    project = bench.project(bench.worlds.small, bench.room())
    with bench.server(project) as server, noop_server() as noop:
        rates: dict[str, list[float]] = {server.url: [], noop: []}
        for part in range(_PARTS):
            for url, found in rates.items():
                make = _events(url, f"c{part}")
                timed = closed_loop(url, make, at_once=_AT_ONCE, seconds=seconds / _PARTS)
                found.append(len(with_status(timed, 200)) / (seconds / _PARTS))
        paced = open_loop(
            server.url, _events(server.url, "o"), per_s=SINGLES_PER_S, seconds=seconds
        )
        bulk_per_s, n_accepted = _bulk(server, bench.scale.n_bulk)
    own, nothing = (sum(found) / _PARTS for found in rates.values())
    p99 = percentile(paced, 99)
    n_failed = len(paced) - len(with_status(paced, 200))
    measured = {
        "singles_per_s": round(own),
        "noop_per_s": round(nothing),
        "share_of_noop": round(own / nothing, 3),
        "p99_ms_at_500_per_s": round(p99, 1),
        "not_taken_at_500_per_s": n_failed,
        "bulk_per_s": round(bulk_per_s),
    }
    slowness = max(
        SINGLES_PER_S / max(own, 1e-9), p99 / SINGLES_P99_MS, BULK_PER_S / max(bulk_per_s, 1e-9)
    )
    is_whole = n_accepted == bench.scale.n_bulk
    detail = "" if slowness <= 1 else f"{slowness:.1f} times slower than the target"
    return Outcome(measured, is_whole, detail, slowness)


@contextmanager
def each_event_alone() -> Iterator[None]:
    """Let each event wait for the disk by itself."""
    append = SQLStore.append

    def slow(self: SQLStore, records: Sequence[Record]) -> Appended:
        time.sleep(_SYNC_S * len(records))
        return append(self, records)

    with patch.object(SQLStore, "append", slow):
        yield


def _events(url: str, name: str) -> Callable[[int], bytes]:
    def make(n: int) -> bytes:
        return request(url, "/v1/events", method="POST", body=_event(f"{name}-{n}", n))

    return make


def _event(own_id: str, n: int) -> dict[str, str]:
    user, item = f"u{n % N_USERS}", f"i{n * 7 % N_ITEMS}"
    return {"event_id": own_id, "kind": "click", "user": user, "item": item}


def _bulk(server: ServerProcess, n_events: int) -> tuple[float, int]:
    """Give how many events a second a stream of lines brings in, and how many were accepted."""
    lines = "\n".join(json.dumps(_event(f"bulk-{n}", n)) for n in range(n_events)).encode()
    begun = time.perf_counter()
    answer = server.client.post("/v1/bulk/events", content=lines, timeout=600)
    answer.raise_for_status()
    return n_events / (time.perf_counter() - begun), int(answer.json()["accepted"])
