from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from longtale.errors import QueryError, StoreError
from longtale.feedback.sessions import MemoryLimiter
from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.admission import Gate, Lane
from longtale.serve.headers import SECURITY
from longtale.serve.keys import KeyRing, Scope, new_key
from longtale.serve.layers import layers
from longtale.serve.problems import on_http_exception

MADE = {scope: new_key(scope, scope.value, now=0) for scope in Scope}
SETTINGS = AdmissionSettings(max_in_flight=1, max_waiting=0, max_body_bytes=1024, requests_per_s=1)


class House:
    """A small application behind all layers."""

    def __init__(self, settings: AdmissionSettings = SETTINGS) -> None:
        self.ring = KeyRing()
        for made in MADE.values():
            self.ring = self.ring.with_record(made.key.record(0))
        self.gate = Gate(settings)
        self.end = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/v1/echo", self._echo, methods=["POST"]),
                Route("/v1/slow", self._slow),
                Route("/v1/fail/{how}", self._fail),
                Route("/health/live", self._live),
            ],
            middleware=layers(
                settings,
                self.gate,
                ring=lambda: self.ring,
                needed=lambda method, path: None if path.startswith("/health") else SCOPES[method],
                limiter=MemoryLimiter(),
                lane_of=lambda _, path: None if path.startswith("/health") else Lane.READ,
                limit_of=lambda _: None,
            ),
            exception_handlers={HTTPException: on_http_exception},
        )

    async def _echo(self, request: Request) -> JSONResponse:
        request.state.stages["echo"] = 1.0
        said = (await request.body()).decode()
        return JSONResponse({"said": said, "key": request.state.key.name})

    async def _slow(self, request: Request) -> JSONResponse:
        await self.end.wait()
        return JSONResponse({})

    async def _fail(self, request: Request) -> JSONResponse:
        raise FAILURES[request.path_params["how"]]

    async def _live(self, request: Request) -> JSONResponse:
        return JSONResponse({})

    async def ask(self, method: str, path: str, *, scope=Scope.ADMIN, **more) -> httpx.Response:
        headers = {"authorization": f"Bearer {MADE[scope].token}"} if scope else {}
        headers |= more.pop("headers", {})
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers=headers, **more)


SCOPES = {"GET": Scope.READ, "POST": Scope.WRITE, "DELETE": Scope.ADMIN}
FAILURES = {"query": QueryError("n is 0"), "store": StoreError("x"), "bug": KeyError("x")}


def asked(method: str, path: str, **more) -> httpx.Response:
    return asyncio.run(House().ask(method, path, **more))


def test_a_good_request_gets_through_unpacked_and_known():
    answer = asked(
        "POST",
        "/v1/echo",
        content=gzip.compress(b"hello"),
        headers={"content-encoding": "gzip", "x-request-id": "order-17"},
    )
    assert answer.json() == {"said": "hello", "key": "admin"}
    assert answer.headers["x-request-id"] == "order-17"
    assert answer.headers["server-timing"] == "echo;dur=1.000"
    assert answer.headers["ratelimit-remaining"] == "99"


@pytest.mark.parametrize(
    ("method", "path", "more", "code"),
    [
        ("GET", "/v1/slow", {"scope": None}, "unauthenticated"),
        ("POST", "/v1/echo", {"scope": Scope.READ}, "forbidden"),
        ("POST", "/v1/echo", {"content": bytes(1025)}, "body_too_large"),
        (
            "POST",
            "/v1/echo",
            {"headers": {"content-encoding": "br"}, "content": b"x"},
            "bad_encoding",
        ),
        ("GET", "/v1/" + "x" * 9000, {}, "url_too_long"),
        ("GET", "/v1/nothing", {}, "not_found"),
        ("GET", "/v1/echo", {}, "method_not_allowed"),
        ("GET", "/v1/fail/query", {}, "bad_query"),
        ("GET", "/v1/fail/store", {}, "store_unavailable"),
        ("GET", "/v1/fail/bug", {}, "internal"),
    ],
)
def test_every_refusal_has_one_form(method, path, more, code):
    answer = asked(method, path, **more)
    told = answer.json()
    assert (told["code"], told["status"]) == (code, answer.status_code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == told["request_id"]
    assert answer.headers["cache-control"] == "no-store"
    assert {name.decode() for name in SECURITY} <= set(answer.headers)


def test_a_stranger_is_sent_away_before_a_byte_is_read():
    async def content():
        raise AssertionError("it was read")
        yield b""

    assert asked("POST", "/v1/echo", scope=None, content=content()).status_code == 401


def test_who_is_sent_away_uses_up_no_share_of_others():
    async def run() -> str:
        house = House()
        for _ in range(5):
            await house.ask("POST", "/v1/echo", scope=Scope.READ)
        return (await house.ask("POST", "/v1/echo", scope=Scope.WRITE)).headers[
            "ratelimit-remaining"
        ]

    assert asyncio.run(run()) == "99"


def test_a_busy_service_refuses_with_what_is_left_and_stays_healthy():
    async def run() -> tuple[httpx.Response, ...]:
        house = House()
        slow = asyncio.create_task(house.ask("GET", "/v1/slow"))
        while not house.gate.in_flight:
            await asyncio.sleep(0)
        refused = await house.ask("GET", "/v1/slow")
        live = await house.ask("GET", "/health/live", scope=None)
        house.end.set()
        return await slow, refused, live

    slow, refused, live = asyncio.run(run())
    assert (slow.status_code, refused.status_code, live.status_code) == (200, 503, 200)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-remaining"] == "98"
    assert "ratelimit-remaining" not in live.headers


def test_a_slow_sender_takes_no_place():
    async def run() -> None:
        async def content():
            house_reads.set()
            yield b"x"
            await more.wait()
            yield b"y"

        house = House()
        house_reads, more = asyncio.Event(), asyncio.Event()
        slow = asyncio.create_task(house.ask("POST", "/v1/echo", content=content()))
        await house_reads.wait()
        assert (await house.ask("POST", "/v1/echo", content=b"quick")).status_code == 200
        more.set()
        assert (await slow).json()["said"] == "xy"

    asyncio.run(run())
