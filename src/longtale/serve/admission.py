"""How much work is let in at once, who waits, and who is turned away.

What is let in beyond what can be done does not get done sooner: all become slow together, and soon
the work is for callers who have gone. So each lane has so many places, a line before them, and a
deadline for those in it.

The line is first come, first served, and kept short: whoever would wait longer than a third of the
deadline is turned away on arrival, in microseconds, and may ask another process. How long that is
follows from Little's law: the number before it, times the mean time that a place is held, over the
number of places. A line that is served last come, first served answers the latest quickly and lets
all others wait for their deadline, only to be refused then; a first-come line without foresight
lets everybody wait nearly as long as is allowed. Kept short, it holds enough work that no place is
ever free (goodput) and little enough that all who are let in are served soon (tail). A third,
since the mean is only a mean; who is still waiting at the deadline is turned away then.

Reads, writes and long uploads have lanes of their own: where a failing store makes writes hang,
they fill their own lane, and reads go on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longtale.monitor.telemetry import Telemetry
from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.problems import Code, Problem

_FORESIGHT = 1 / 3
"""Part of the deadline that a newcomer to the line may be expected to wait."""
_WEIGHT_OF_LAST = 1 / 16
"""Of the last place given back in the mean time that places are held."""
_BULK_PART = 4
"""One in so many places is for long uploads, at least one: they hold it for long, and many at once
would only make each other slower."""
_LONGEST_RETRY_S = 30


class Lane(StrEnum):
    """What kind of work a request is."""

    READ = "read"
    WRITE = "write"
    BULK = "bulk"


class Reason(StrEnum):
    """Why a request was turned away."""

    FULL = "full"
    """The line has as many as it may hold."""
    BUSY = "busy"
    """It would have had to wait too long."""
    LATE = "late"
    """It waited until its deadline."""
    STOPPING = "stopping"
    """The process is about to stop."""


LaneOf = Callable[[str, str], Lane | None]
"""Goes from a method and a path to the lane of the work; None where it is always let in."""


class Pool:
    """The places of one lane, and the line before them.

    Args:
        settings: how many places, how long a line, which deadline.
        telemetry: is told who waits and who is turned away.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        settings: AdmissionSettings,
        *,
        telemetry: Telemetry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_flight = 0
        self.turned_away: Counter[Reason] = Counter()
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._line: deque[asyncio.Future[bool]] = deque()
        self._mean_held_s = 0.0

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._line)

    @property
    def expected_wait_s(self) -> float:
        """How long whoever comes now would wait, seconds."""
        if self.in_flight < self._settings.max_in_flight:
            return 0.0
        return (self.waiting + 1) * self._mean_held_s / self._settings.max_in_flight

    async def enter(self) -> Place:
        """Take a place, or wait for one.

        Raises:
            Problem: there is none in time.
        """
        if self.in_flight < self._settings.max_in_flight:
            self.in_flight += 1
        elif self.waiting >= self._settings.max_waiting:
            raise self.turn_away(Reason.FULL)
        elif self.expected_wait_s > _FORESIGHT * self._settings.deadline_ms / 1000:
            raise self.turn_away(Reason.BUSY)
        elif not await self._wait():
            raise self.turn_away(Reason.LATE)
        return Place(self, self._clock())

    def turn_away(self, reason: Reason) -> Problem:
        """Count a request that is not let in, and give the answer to it."""
        self.turned_away[reason] += 1
        if self._telemetry is not None:
            self._telemetry.turned_away(reason.value)
        if reason is Reason.STOPPING:
            return Problem(
                Code.STOPPING,
                "the process finishes what it has begun and takes nothing new",
                hint="ask again: another process answers, or this one when it is back",
                headers={"Retry-After": "1", "Connection": "close"},
            )
        retry_s = min(max(1, math.ceil(self.expected_wait_s)), _LONGEST_RETRY_S)
        return Problem(
            Code.OVERLOADED,
            f"{self.in_flight} requests are worked on and {self.waiting} wait",
            hint="ask again after the time in Retry-After, and later each time",
            headers={"Retry-After": str(retry_s)},
        )

    def leave(self, since: float) -> None:
        """Give back a place that was held since a time of the clock."""
        self._mean_held_s += _WEIGHT_OF_LAST * (self._clock() - since - self._mean_held_s)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give a free place to the first in the line who still waits for it."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self.in_flight -= 1

    async def _wait(self) -> bool:
        """Wait in the line; say whether a place was handed over before the deadline."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append(turn)
        loop.call_later(self._settings.deadline_ms / 1000, self._give_up, turn)
        try:
            with nullcontext() if self._telemetry is None else self._telemetry.waiting():
                return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self._hand_over()  # the place came too late to be of use
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def _give_up(self, turn: asyncio.Future[bool]) -> None:
        if not turn.done():
            self._line.remove(turn)
            turn.set_result(False)


class Place:
    """A place among those at work; given back once, however often it is left."""

    def __init__(self, pool: Pool, since: float) -> None:
        self._pool: Pool | None = pool
        self._since = since

    def leave(self) -> None:
        """Give it back."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.leave(self._since)


class Gate:
    """All lanes of one process.

    Args:
        settings: of each lane.
        telemetry: is told who waits, who works and who is turned away.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        settings: AdmissionSettings,
        *,
        telemetry: Telemetry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        places = {
            Lane.READ: settings.max_in_flight,
            Lane.WRITE: settings.max_writes,
            Lane.BULK: max(1, settings.max_in_flight // _BULK_PART),
        }
        self.telemetry = telemetry
        self.pools: Mapping[Lane, Pool] = {
            lane: Pool(
                settings.model_copy(update={"max_in_flight": n}), telemetry=telemetry, clock=clock
            )
            for lane, n in places.items()
        }
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is let in any more."""
        return self._is_draining

    @property
    def in_flight(self) -> int:
        """How many requests are worked on, in all lanes."""
        return sum(pool.in_flight for pool in self.pools.values())

    @property
    def waiting(self) -> int:
        """How many requests wait, in all lanes."""
        return sum(pool.waiting for pool in self.pools.values())

    @property
    def turned_away(self) -> Mapping[Reason, int]:
        """How many requests were turned away, in all lanes, by reason."""
        return sum((pool.turned_away for pool in self.pools.values()), Counter[Reason]())

    def drain(self) -> None:
        """Let nothing new in; who works or waits goes on."""
        self._is_draining = True

    async def enter(self, lane: Lane) -> Place:
        """Take a place in a lane.

        Raises:
            Problem: there is none in time, or the process is about to stop.
        """
        pool = self.pools[lane]
        if self._is_draining:
            raise pool.turn_away(Reason.STOPPING)
        return await pool.enter()


@dataclass(frozen=True, eq=False)
class Admission:
    """Lets requests in as there are places for them.

    A place is given back before the last part of the answer goes out: a client that reads slowly
    holds a connection, and no place.

    Args:
        app: what is protected.
        gate: the places.
        lane_of: which of them a request needs; None is let in always.
    """

    app: ASGIApp
    gate: Gate
    lane_of: LaneOf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = self.lane_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if lane is None:
            await self.app(scope, receive, send)
            return
        place = await self.gate.enter(lane)

        async def leaving(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                place.leave()
            await send(message)

        telemetry = self.gate.telemetry
        try:
            with nullcontext() if telemetry is None else telemetry.in_flight():
                await self.app(scope, receive, leaving)
        finally:
            place.leave()
