"""The application: the table of endpoints, and the layers that every request goes through."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asgi

from longtale.monitor.request_log import RequestLog
from longtale.monitor.telemetry import Telemetry
from longtale.serve import data_routes, event_routes, list_routes, operation_routes, pages
from longtale.serve.admission import Lane
from longtale.serve.auth import key_of
from longtale.serve.background import Background
from longtale.serve.headers import state_of
from longtale.serve.keys import Scope
from longtale.serve.layers import layers
from longtale.serve.problems import on_http_exception
from longtale.serve.routing import Endpoint
from longtale.serve.service import Service

ENDPOINTS: tuple[Endpoint, ...] = (
    *list_routes.ENDPOINTS,
    *event_routes.ENDPOINTS,
    *data_routes.ENDPOINTS,
    *operation_routes.ENDPOINTS,
)
"""All that the service can do."""
_BULK = "/v1/bulk/"
_LONGEST_BULK = 16 * 1024**3
_ALWAYS = ("/v1/health/", "/v1/metrics")


def application(service: Service) -> Starlette:
    """Give the application that serves a service, and closes it in the end."""
    routes = [endpoint.route() for endpoint in ENDPOINTS]
    needed = _Needed(routes)
    admission = service.serve.admission

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        background = Background(service)
        background.start()
        try:
            yield
        finally:
            service.gate.drain()
            background.stop()
            service.close()

    outermost, *inner = layers(
        admission,
        service.gate,
        ring=lambda: service.engine.views.keys,
        needed=needed,
        limiter=service.limiter,
        lane_of=lane_of,
        limit_of=limit_of,
    )
    watch = Middleware(Watch, telemetry=service.telemetry, request_log=RequestLog())
    app = Starlette(
        routes=[*pages.routes(ENDPOINTS), *routes],
        middleware=[Middleware(AsSent), outermost, watch, *inner],
        exception_handlers={HTTPException: on_http_exception},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # one address for one thing
    app.state.service = service
    return app


def lane_of(method: str, path: str) -> Lane | None:
    """Say what kind of work a request is; what tells how things stand is always let in."""
    if path.startswith(_ALWAYS):
        return None
    if path.startswith(_BULK):
        return Lane.BULK
    is_list = method == "GET" or path.startswith(("/v1/recommend", "/v1/sessions", "/v1/rank"))
    return Lane.READ if is_list or path == "/v1/search" else Lane.WRITE


def limit_of(path: str) -> int | None:
    """Give how long the body of a path may be where it is read piece by piece."""
    return _LONGEST_BULK if path.startswith(_BULK) else None


class _Needed:
    """Says what scope a request needs: that of its endpoint; what is not there needs to read."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = [(route, e.scope) for route, e in zip(routes, ENDPOINTS, strict=True)]

    def __call__(self, method: str, path: str) -> Scope | None:
        if path in pages.OPEN:
            return None
        asked = {"type": "http", "method": method, "path": path}
        for route, scope in self._routes:
            if route.matches(asked)[0] is Match.FULL:
                return scope
        return Scope.READ


@dataclass(frozen=True, eq=False)
class AsSent:
    """Lets everything behind it see the path as it was sent, so that an id may hold a `/`.

    Servers decode `%2F`, and `/v1/items/a%2Fb` would be the path of something else.
    """

    app: ASGIApp

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path")
        if scope["type"] == "http" and raw is not None:
            scope = {**scope, "path": raw.decode("latin-1")}
        await self.app(scope, receive, send)


@dataclass(frozen=True, eq=False)
class Watch:
    """Counts and logs every request, whatever became of it.

    Args:
        app: what is watched.
        telemetry: counts.
        request_log: logs.
    """

    app: ASGIApp
    telemetry: Telemetry
    request_log: RequestLog

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 499  # the client went away before an answer

        async def noticed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noticed)
        finally:
            self._tell(scope, status, time.perf_counter() - begun)

    def _tell(self, scope: Asgi, status: int, seconds: float) -> None:
        state = state_of(scope)
        route = str(state.get("route", "other"))
        self.telemetry.answered(route=route, method=scope["method"], status=status, seconds=seconds)
        key = key_of(scope)
        self.request_log.answered(
            request_id=str(state.get("request_id", "")),
            route=route,
            method=scope["method"],
            status=status,
            ms=1000 * seconds,
            degraded=state.get("degraded", ()),
            key=None if key is None else key.id,
        )
