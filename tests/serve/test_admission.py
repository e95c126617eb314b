from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.wire import PATIENCE_S, Told, asked, fine, request

from longtale.monitor.telemetry import Telemetry
from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.admission import Admission, Gate, Lane, Pool, Reason
from longtale.serve.problems import Problem, Problems

PATHS = {"/read": Lane.READ, "/write": Lane.WRITE, "/bulk": Lane.BULK, "/health": None}
SETTINGS = AdmissionSettings(max_in_flight=2, max_waiting=2, deadline_ms=60_000)
HASTY = SETTINGS.model_copy(update={"deadline_ms": 1})


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that waits."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), PATIENCE_S))

    return run


async def settled() -> None:
    """Let everybody go on until nobody can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Work:
    """An application whose requests, but for those about its health, end when the test says so."""

    def __init__(self, settings: AdmissionSettings = SETTINGS, **more: Any) -> None:
        self.now = 0.0
        self.gate = Gate(settings, clock=lambda: self.now, **more)
        self.app = Problems(Admission(self._work, self.gate, lambda _, path: PATHS[path]))
        self.begun: list[str] = []
        self.end = asyncio.Event()

    async def _work(self, scope, receive, send) -> None:
        self.begun.append(scope["query_string"].decode())
        if scope["path"] != "/health":
            await self.end.wait()
        await fine(scope, receive, send)

    def send(self, path: str, name: str = "") -> asyncio.Task[Told]:
        return asyncio.create_task(asked(self.app, request(path=path, query_string=name.encode())))

    async def sent(self, path: str, n: int) -> list[asyncio.Task[Told]]:
        """Send several requests, and wait until each works or stands in the line."""
        tasks = [self.send(path, str(number)) for number in range(n)]
        await settled()
        return tasks


@in_a_loop
async def test_as_many_work_as_there_are_places_and_the_others_wait_their_turn():
    work = Work()
    tasks = await work.sent("/read", 4)
    assert work.begun == ["0", "1"]
    assert (work.gate.in_flight, work.gate.waiting) == (2, 2)
    work.end.set()
    assert [(await task).status for task in tasks] == [200] * 4
    assert work.begun == ["0", "1", "2", "3"]
    assert (work.gate.in_flight, work.gate.waiting) == (0, 0)


@in_a_loop
async def test_who_finds_the_line_full_is_turned_away_at_once():
    work = Work()
    tasks = await work.sent("/read", 4)
    told = await work.send("/read")
    assert (told.status, told.json["code"]) == (503, "overloaded")
    assert "2 requests are worked on and 2 wait" in told.json["detail"]
    assert work.gate.turned_away == {Reason.FULL: 1}
    work.end.set()
    await asyncio.gather(*tasks)


@in_a_loop
async def test_who_would_wait_too_long_is_turned_away_at_once_and_told_how_long():
    work = Work(AdmissionSettings(max_in_flight=2, max_waiting=9, deadline_ms=60_000))
    for _ in range(200):
        place = await work.gate.enter(Lane.READ)
        work.now += 16
        place.leave()
    tasks = await work.sent("/read", 4)  # two work; of those who wait each adds 16 s / 2 places
    told = await work.send("/read")
    assert (told.status, told.headers["retry-after"]) == (503, "24")
    assert work.gate.turned_away == {Reason.BUSY: 1}
    work.end.set()
    assert [(await task).status for task in tasks] == [200] * 4


@in_a_loop
async def test_who_waited_until_the_deadline_is_turned_away():
    work = Work(HASTY)
    tasks = await work.sent("/read", 2)
    assert (await work.send("/read")).status == 503
    assert (work.gate.turned_away, work.gate.waiting) == ({Reason.LATE: 1}, 0)
    work.end.set()
    await asyncio.gather(*tasks)
    assert work.gate.in_flight == 0


@pytest.mark.parametrize("lane", ["/write", "/bulk"])
@in_a_loop
async def test_writes_that_hang_keep_no_read_waiting(lane):
    work = Work(HASTY)
    hanging = await work.sent(lane, 9)
    reads = await work.sent("/read", 2)
    assert len(work.begun) == work.gate.in_flight == work.gate.pools[PATHS[lane]].in_flight + 2
    work.end.set()
    assert [(await task).status for task in reads] == [200, 200]
    await asyncio.gather(*hanging)


@pytest.mark.parametrize(("places", "expected"), [(1, 1), (8, 2), (64, 16)])
@in_a_loop
async def test_few_long_uploads_work_at_once(places, expected):
    work = Work(AdmissionSettings(max_in_flight=places, max_waiting=0))
    tasks = await work.sent("/bulk", 40)
    assert work.gate.in_flight == expected
    work.end.set()
    await asyncio.gather(*tasks)


@in_a_loop
async def test_health_is_asked_of_the_busiest_service_and_of_one_that_stops():
    work = Work()
    tasks = await work.sent("/read", 4)
    work.gate.drain()
    assert [(await work.send("/health")).status for _ in range(9)] == [200] * 9
    work.end.set()
    await asyncio.gather(*tasks)


@in_a_loop
async def test_a_service_that_stops_ends_what_it_has_and_takes_nothing_new():
    work = Work()
    tasks = await work.sent("/read", 3)
    assert not work.gate.is_draining
    work.gate.drain()
    assert work.gate.is_draining
    told = await work.send("/write")
    assert (told.status, told.json["code"], told.headers["connection"]) == (
        503,
        "stopping",
        "close",
    )
    assert work.gate.turned_away == {Reason.STOPPING: 1}
    work.end.set()
    assert [(await task).status for task in tasks] == [200] * 3


@in_a_loop
async def test_who_goes_away_leaves_the_line():
    work = Work()
    tasks = await work.sent("/read", 4)
    tasks[2].cancel()
    await settled()
    assert work.gate.waiting == 1
    work.end.set()
    assert [(await tasks[n]).status for n in (0, 1, 3)] == [200] * 3
    assert (work.begun, work.gate.in_flight) == (["0", "1", "3"], 0)


@pytest.mark.parametrize("is_gone_first", [True, False])
@in_a_loop
async def test_a_place_that_comes_as_its_taker_goes_is_handed_on(is_gone_first):
    pool = Pool(SETTINGS)
    places = [await pool.enter(), await pool.enter()]
    first, second = asyncio.create_task(pool.enter()), asyncio.create_task(pool.enter())
    await settled()
    first.cancel() if is_gone_first else places[0].leave()
    places[0].leave() if is_gone_first else first.cancel()
    place = await second
    assert (pool.in_flight, pool.waiting) == (2, 0)
    for each in (place, places[1]):
        each.leave()
    assert pool.in_flight == 0


@in_a_loop
async def test_a_place_is_given_back_once():
    pool = Pool(SETTINGS)
    place = await pool.enter()
    await pool.enter()
    place.leave()
    place.leave()
    assert pool.in_flight == 1


STEPS = st.sampled_from(["arrive", "arrive", "go on", "end", "cancel"])


@given(st.lists(st.tuples(STEPS, st.integers(0, 20)), max_size=60))
@in_a_loop
async def test_no_place_is_lost_or_made_whatever_happens_in_which_order(steps):
    async def visit(end: asyncio.Event) -> None:
        nonlocal n_working
        place = await pool.enter()
        n_working += 1
        try:
            assert n_working <= SETTINGS.max_in_flight
            await end.wait()
        finally:
            n_working -= 1
            place.leave()

    pool = Pool(SETTINGS)
    n_working = 0
    visits: list[tuple[asyncio.Task[None], asyncio.Event]] = []
    for step, number in steps:
        if step == "arrive":
            end = asyncio.Event()
            visits.append((asyncio.create_task(visit(end)), end))
        elif step == "go on":
            await asyncio.sleep(0)
        elif visits:
            task, end = visits[number % len(visits)]
            end.set() if step == "end" else task.cancel()
    for _, end in visits:
        end.set()
    await asyncio.gather(*(task for task, _ in visits), return_exceptions=True)
    assert (pool.in_flight, pool.waiting, n_working) == (0, 0, 0)


@in_a_loop
async def test_a_slow_reader_holds_no_place():
    async def reading_slowly(message) -> None:
        if message["type"] == "http.response.body":
            in_flight.append(gate.in_flight)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": part < 2})

    gate = Gate(SETTINGS)
    in_flight: list[int] = []
    await Admission(app, gate, lambda *_: Lane.READ)(request(), None, reading_slowly)
    assert in_flight == [1, 1, 0]


@in_a_loop
async def test_work_that_fails_gives_its_place_back():
    async def app(scope, receive, send):
        raise ValueError

    gate = Gate(SETTINGS)
    for _ in range(9):
        await asked(Problems(Admission(app, gate, lambda *_: Lane.READ)), request())
    assert gate.in_flight == 0


@in_a_loop
async def test_telemetry_knows_who_works_who_waits_and_who_was_turned_away():
    def known(name: str, *labels: str) -> float:
        return telemetry.value(f"longtale_requests_{name}", *labels)

    telemetry = Telemetry()
    work = Work(telemetry=telemetry)
    tasks = await work.sent("/read", 5)
    assert (known("in_flight"), known("waiting"), known("turned_away_total", "full")) == (2, 2, 1)
    work.end.set()
    await asyncio.gather(*tasks)
    assert (known("in_flight"), known("waiting")) == (0, 0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which nothing takes time but sleeping, and that takes none outside."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        select = self._selector.select

        def at_once(timeout: float | None) -> Any:
            self._now += timeout or 0.0
            return select(0)

        self._selector.select = at_once

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise AssertionError(context)

    def time(self) -> float:
        return self._now


def flooded(load: float, *, capacity: float, seconds: float) -> tuple[list[float], list[float]]:
    """Give the time of each request that was done, and of each that was turned away."""

    async def visit() -> None:
        begun = loop.time()
        try:
            place = await pool.enter()
        except Problem:
            refused.append(loop.time() - begun)
            return
        await asyncio.sleep(settings.max_in_flight / capacity)
        place.leave()
        done.append(loop.time() - begun)

    async def flood() -> None:
        visits = []
        while loop.time() < seconds:
            await asyncio.sleep(rng.expovariate(load))
            visits.append(asyncio.create_task(visit()))
        await asyncio.gather(*visits)

    rng = random.Random(5)
    settings = AdmissionSettings()
    done: list[float] = []
    refused: list[float] = []
    loop = VirtualLoop()
    pool = Pool(settings, clock=loop.time)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(flood())
    return sorted(done), sorted(refused)


def test_five_times_too_much_is_survived():
    done, refused = flooded(1000, capacity=200, seconds=20)
    assert len(done) >= 0.9 * 200 * 20
    assert done[int(0.99 * len(done))] <= 0.250
    assert refused[int(0.99 * len(refused))] == 0


def test_nobody_is_turned_away_from_a_service_that_is_half_busy():
    assert not flooded(100, capacity=200, seconds=20)[1]
