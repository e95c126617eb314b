"""Load on a server: so many requests a second whatever comes back, or so many at once.

A closed loop sends the next request when the last was answered, and so asks less of a server the
slower it is. An open loop sends at its times; a request's time counts from when it was due ("Open
Versus Closed: A Cautionary Tale", Schroeder et al. 2006, NSDI).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from longtale.reliability.wire import Lines, Told

Make = Callable[[int], bytes]
"""Gives the bytes of the n-th request."""
_LAST_S = 30.0
"""What was not answered so long after the last request was sent is lost."""


@dataclass(frozen=True)
class Timed:
    """An answer, and how long it took.

    Args:
        told: what came back.
        took_ms: from when the request was due.
        at: when it was due, seconds from the start.
    """

    told: Told
    took_ms: float
    at: float


def open_loop(url: str, make: Make, *, per_s: float, seconds: float) -> list[Timed]:
    """Send requests at a rate, evenly spaced; give what came back, in the order sent."""
    return open_loops(url, make, [(per_s, seconds)])


def open_loops(url: str, make: Make, rates: Sequence[tuple[float, float]]) -> list[Timed]:
    """Send requests at one rate after the other; give what came back, in the order sent.

    Args:
        url: of the server.
        make: gives the requests.
        rates: how many a second, and for how many seconds.
    """
    dues: list[float] = []
    start = 0.0
    for per_s, seconds in rates:
        dues += [start + n / per_s for n in range(round(per_s * seconds))]
        start += seconds
    return asyncio.run(_open_loop(url, make, dues))


def closed_loop(url: str, make: Make, *, at_once: int, seconds: float) -> list[Timed]:
    """Keep so many requests going; give what came back, in the order of the answers."""
    return asyncio.run(_closed_loop(url, make, at_once, seconds, None))


def one_by_one(url: str, make: Make, *, n: int) -> list[Timed]:
    """Send n requests, each after the answer to the one before."""
    return asyncio.run(_closed_loop(url, make, 1, np.inf, n))


def percentile(timed: Sequence[Timed], percent: float) -> float:
    """Give a percentile of the times, ms; infinite where there is nothing."""
    if not timed:
        return float("inf")
    return float(np.percentile([each.took_ms for each in timed], percent))


def with_status(timed: Sequence[Timed], *statuses: int) -> list[Timed]:
    """Give the answers that have one of these statuses."""
    return [each for each in timed if each.told.status in statuses]


async def _open_loop(url: str, make: Make, dues: Sequence[float]) -> list[Timed]:
    lines = Lines(url)
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.05

    async def sent(n: int, due: float) -> Timed:
        told = await lines.ask(make(n))
        return Timed(told, 1000 * (loop.time() - due), due - start)

    tasks = []
    for n, wait_s in enumerate(dues):
        due = start + wait_s
        if (early := due - loop.time()) > 0:
            await asyncio.sleep(early)
        tasks.append(asyncio.create_task(sent(n, due)))
    done, late = await asyncio.wait(tasks, timeout=_LAST_S) if tasks else (set(), set())
    for task in late:
        task.cancel()
    lines.close()
    return sorted((task.result() for task in done), key=lambda each: each.at)


async def _closed_loop(
    url: str, make: Make, at_once: int, seconds: float, n_most: int | None
) -> list[Timed]:
    lines = Lines(url)
    found: list[Timed] = []
    start = time.perf_counter()
    n_sent = 0

    async def keep_asking() -> None:
        nonlocal n_sent
        while time.perf_counter() - start < seconds and (n_most is None or n_sent < n_most):
            n, n_sent = n_sent, n_sent + 1
            begun = time.perf_counter()
            told = await lines.ask(make(n))
            found.append(Timed(told, 1000 * (time.perf_counter() - begun), begun - start))

    await asyncio.gather(*(keep_asking() for _ in range(at_once)))
    lines.close()
    return found
