"""Fast reads on the full path: one by one, at a rate, and as many as can be answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from longtale.recommend.answer import Answer
from longtale.recommend.bundle import load
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.load import (
    Timed,
    closed_loop,
    one_by_one,
    open_loop,
    percentile,
    with_status,
)
from longtale.reliability.noop import noop_server
from longtale.reliability.wire import request
from longtale.seeds import generator
from longtale.serve import lists
from longtale.serve.answering import Ask, answered
from longtale.serve.world import Views, World

ALONE_P50_MS, PACED_P99_MS, PACE_PER_S, CAPACITY_PER_S = 10.0, 50.0, 100.0, 200.0
_PARTS = 4  # of a measurement, between which the endpoint that does nothing is measured
_AT_ONCE = 8
_NOOP_S = 0.3
_RATES = (0.6, 0.8, 1.0, 1.2)
_CORES = 2
"""Of the machine that the targets speak of: an answer keeps one process, and so one core, busy."""
IN_TIME_MS = 200.0
"""What takes longer does not count as capacity; the time counts from when a request was due."""
_WAIT_S = 0.06


@dataclass(frozen=True)
class Reads:
    """How fast a server answers.

    Args:
        alone: requests one after the other.
        paced: requests at `PACE_PER_S`.
        capacity_per_s: the most answers a second that came in time.
    """

    alone: Sequence[Timed]
    paced: Sequence[Timed]
    capacity_per_s: float


def reads(bench: Bench) -> Outcome:
    """Ask for slates, in turn with an endpoint that does nothing."""
    scale = bench.scale
    bundle = bench.worlds.large if scale.is_large else bench.worlds.films
    users = known_users(load(bundle).dataset.users.ids.to_list())
    project = bench.project(bundle, bench.room(), workers=workers_of(bench))
    with bench.server(project) as server, noop_server() as noop:
        own, nothing = measured_reads(
            server.url, noop, users, n_singles=scale.n_singles, seconds=scale.load_s
        )
    measured = {
        "items": len(load(bundle).catalog),
        "workers": workers_of(bench),
        **figures(own),
        **{f"noop_{name}": value for name, value in figures(nothing).items()},
    }
    slowness = max(
        percentile(own.alone, 50) / ALONE_P50_MS,
        percentile(own.paced, 99) / PACED_P99_MS,
        CAPACITY_PER_S / max(own.capacity_per_s, 1e-9),
    )
    failed = {t.told.status for t in (*own.alone, *own.paced)} - {200, 503}
    detail = f"{slowness:.1f} times slower than the target" if slowness > 1 else ""
    detail = f"answers with the status {sorted(failed)}" if failed else detail
    return Outcome(measured, not failed, detail, slowness)


def workers_of(bench: Bench) -> int:
    """Give how many processes answer: one for each core of the target where all is tried.

    Otherwise it is one, for a mutant too: only the process that the trial starts is broken, and no
    further ones that are started by it.
    """
    return _CORES if bench.scale.is_large else 1


def figures(found: Reads) -> dict[str, float]:
    """Give the figures of reads by name."""
    return {
        "p50_ms_alone": round(percentile(found.alone, 50), 2),
        "p99_ms_alone": round(percentile(found.alone, 99), 2),
        "p50_ms_at_100_per_s": round(percentile(found.paced, 50), 2),
        "p99_ms_at_100_per_s": round(percentile(found.paced, 99), 2),
        "turned_away_at_100_per_s": len(found.paced) - len(with_status(found.paced, 200)),
        "capacity_per_s": round(found.capacity_per_s),
    }


def measured_reads(
    url: str, noop: str, users: Sequence[str], *, n_singles: int, seconds: float
) -> tuple[Reads, Reads]:
    """Measure a server and one that does nothing in turn, a part of each measurement at a time.

    Args:
        url: of the server.
        noop: of the one that does nothing; what it can bear is found with little effort.
        users: who is asked for.
        n_singles: requests of each server that are measured one by one.
        seconds: how long each rate is held.
    """
    alone: dict[str, list[Timed]] = {url: [], noop: []}
    paced: dict[str, list[Timed]] = {url: [], noop: []}
    for each in alone:
        one_by_one(each, slates(each, users), n=10)  # the first answers of a process are slow
    for _ in range(_PARTS):
        for each, found in alone.items():
            make = slates(each, users)
            found += one_by_one(each, make, n=max(1, n_singles // _PARTS))
            paced[each] += open_loop(each, make, per_s=PACE_PER_S, seconds=seconds / _PARTS)
    most = capacity(url, users, seconds=seconds)
    most_noop = peak(noop, users, seconds=_NOOP_S)
    return Reads(alone[url], paced[url], most), Reads(alone[noop], paced[noop], most_noop)


def capacity(url: str, users: Sequence[str], *, seconds: float) -> float:
    """Give the most answers a second that come in time, over rates about what can be done.

    What can be done is found first, by keeping a few requests going all the time.
    """
    own_s = seconds / (1 + len(_RATES))
    most = peak(url, users, seconds=own_s)
    found = []
    for part in _RATES:
        rate = max(1.0, part * most)
        timed = open_loop(url, slates(url, users), per_s=rate, seconds=own_s)
        n_in_time = sum(each.took_ms <= IN_TIME_MS for each in with_status(timed, 200))
        found.append(n_in_time / own_s)
    return max(found)


def peak(url: str, users: Sequence[str], *, seconds: float) -> float:
    """Give how many answers a second come where a few requests are always under way."""
    timed = closed_loop(url, slates(url, users), at_once=_AT_ONCE, seconds=seconds)
    return len(with_status(timed, 200)) / seconds


def slates(url: str, users: Sequence[str]) -> Callable[[int], bytes]:
    """Give what asks for the slate of one user after the other."""

    def make(n: int) -> bytes:
        return request(url, f"/v1/recommend/{users[n % len(users)]}?explain=codes")

    return make


def known_users(ids: Sequence[str], n: int = 200) -> list[str]:
    """Draw some users."""
    rng = generator(0, "users asked for")
    return [ids[row] for row in rng.choice(len(ids), min(n, len(ids)), replace=False).tolist()]


@contextmanager
def slow_answers() -> Iterator[None]:
    """Let every answer take longer."""

    def slow(world: World, views: Views, ask: Ask) -> Answer:
        time.sleep(_WAIT_S)
        return answered(world, views, ask)

    with patch.object(lists, "answered", slow):
        yield
