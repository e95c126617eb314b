"""Overload: what can be done gets done and is done soon, the rest is turned away at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from longtale.recommend.bundle import load
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.load import (
    Timed,
    one_by_one,
    open_loops,
    percentile,
    with_status,
)
from longtale.reliability.trials.reads import known_users, peak, slates, workers_of
from longtale.serve.admission import Place, Pool

TIMES_CAPACITY = 5.0
LEAST_GOODPUT, ADMITTED_P99_MS, REFUSED_P99_MS, RECOVERY_S = 0.9, 250.0, 10.0, 5.0
_REFUSED = (429, 503)
_N_AFTER = 20
_NEARLY_ALL = 0.9
_FILLED_S = 0.5  # after which the line before a server is as long as it gets


def overload(bench: Bench) -> Outcome:
    """Find the most that a server answers, ask for five times as much, then for little again."""
    bundle = bench.worlds.films
    users = known_users(load(bundle).dataset.users.ids.to_list())
    project = bench.project(bundle, bench.room(), workers=workers_of(bench))
    with bench.server(project) as server:
        make = slates(server.url, users)
        one_by_one(server.url, make, n=10)  # the first answers of a process are slow
        seconds = bench.scale.load_s
        usual = one_by_one(server.url, make, n=_N_AFTER)
        most = peak(server.url, users, seconds=seconds)
        rate = max(1.0, TIMES_CAPACITY * most)
        lasts_s = bench.scale.overload_s
        rates = [(rate, lasts_s), (max(1.0, most / 4), RECOVERY_S + 1)]
        timed = open_loops(server.url, make, rates)
        is_alive = server.process.is_alive()
    during = [each for each in timed if each.at < lasts_s]
    after = [replace(each, at=each.at - lasts_s) for each in timed if each.at >= lasts_s]
    found = _judged(during, after, usual, peak=most, rate=rate, is_alive=is_alive)
    return replace(found, measured={"workers": workers_of(bench), **found.measured})


@contextmanager
def without_bounds() -> Iterator[None]:
    """Let everything in at once."""

    async def enter(self: Pool) -> Place:
        self.in_flight += 1
        return Place(self, self._clock())

    with patch.object(Pool, "enter", enter):
        yield


def _judged(
    timed: Sequence[Timed],
    after: Sequence[Timed],
    usual: Sequence[Timed],
    *,
    peak: float,
    rate: float,
    is_alive: bool,
) -> Outcome:
    admitted, refused = with_status(timed, 200), with_status(timed, *_REFUSED)
    lasted_s = max((each.at for each in timed), default=0.0) or 1.0
    ends = [each.at + each.took_ms / 1000 for each in admitted]
    n_steady = sum(_FILLED_S <= end <= lasted_s for end in ends)
    goodput = n_steady / max(lasted_s - _FILLED_S, 1e-9) / max(peak, 1e-9)
    others = [each for each in timed if each.told.status not in (200, *_REFUSED)]
    unexplained = [each for each in refused if not each.told.has_header("retry-after")]
    recovery_s = _recovery_s(after, usual)
    measured = {
        "peak_per_s": round(peak, 1),
        "asked_per_s": round(rate, 1),
        "goodput_of_peak": round(goodput, 3),
        "admitted_p99_ms": round(percentile(admitted, 99), 1),
        "refused": len(refused),
        "refused_p50_ms": round(percentile(refused, 50), 1) if refused else None,
        "refused_p99_ms": round(percentile(refused, 99), 1) if refused else None,
        "neither_answered_nor_refused": len(others),
        "recovery_s": round(recovery_s, 2),
    }
    slowness = max(
        LEAST_GOODPUT / max(goodput, 1e-9),
        percentile(admitted, 99) / ADMITTED_P99_MS,
        percentile(refused, 99) / REFUSED_P99_MS if refused else 0.0,
        recovery_s / RECOVERY_S,
    )
    is_kept = not others and not unexplained and is_alive
    wrong = (
        f"{len(others)} were lost or failed, {len(unexplained)} were refused without Retry-After"
    )
    detail = wrong if not is_kept else ""
    if is_kept and slowness > 1:
        detail = f"the worst figure misses its target by a factor of {slowness:.1f}"
    return Outcome(measured, is_kept, detail, slowness)


def _recovery_s(after: Sequence[Timed], usual: Sequence[Timed]) -> float:
    """Give from which second on, after the load, nearly all are answered as they were before it."""
    limit_ms = 2 * percentile(usual, 99) + 50
    seconds: dict[int, list[bool]] = {}
    for each in after:
        is_normal = each.told.status == 200 and each.took_ms <= limit_ms
        seconds.setdefault(int(each.at), []).append(is_normal)
    bad = [second + 1 for second, are in seconds.items() if sum(are) < _NEARLY_ALL * len(are)]
    return float(max(bad, default=0))
