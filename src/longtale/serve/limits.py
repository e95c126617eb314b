"""How large, how long and how slow a request may be.

Most bodies are read here, whole, before anything else is done: a client that sends slowly keeps
nobody waiting but itself, for it takes a place among those at work only when all of it is here.
Bodies that are long by nature (`limit_of` names their paths) are handed on piece by piece.

Packed bodies are unpacked as they come, and it is the unpacked bytes that are counted: a bomb is
found out after `max_body_bytes`, whatever it would grow to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.bodies import CLOSE, Body, forget_packing, has_body
from longtale.serve.problems import Code, Problem

LimitOf = Callable[[str], int | None]
"""Goes from a path to how many bytes its body may have when it is handed on piece by piece; None
where it is read whole first."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_URL_BYTES = 8 * 1024
"""Path and query together."""
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
SMALL_BODY_BYTES = 64 * 1024
"""What each request may have in memory, whatever the others have."""
SHARED_BYTES = 32 * 1024 * 1024
"""What all requests together may have in memory beyond that."""
LEAST_BYTES_PER_S = 16 * 1024
"""A long body may take `read_timeout_s`, and a second more for each so many bytes."""


@dataclass(eq=False)
class _Memory:
    """Counts the bytes of bodies in memory, beyond what each request may have."""

    held: int = 0


class _Share:
    """What one request has of the memory; given back at its end."""

    def __init__(self, memory: _Memory) -> None:
        self._memory = memory
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.held -= self._held

    def reach(self, n_bytes: int) -> None:
        """Take as much as a body of so many bytes needs."""
        more = max(0, n_bytes - SMALL_BODY_BYTES - self._held)
        if more and self._memory.held + more > SHARED_BYTES:
            raise Problem(
                Code.OVERLOADED,
                "too many large bodies are being read at once",
                hint="try again in a second, or send less at once",
                headers={"Retry-After": "1", **CLOSE},
            )
        self._held += more
        self._memory.held += more


@dataclass(frozen=True, eq=False)
class Limits:
    """Refuses what is too large or too slow, and hands on bodies unpacked.

    Args:
        app: what is protected.
        settings: `max_body_bytes` and `read_timeout_s`.
        limit_of: names the paths with long bodies.
        clock: seconds that only go forward.
    """

    app: ASGIApp
    settings: AdmissionSettings
    limit_of: LimitOf = lambda _: None
    clock: Callable[[], float] = time.monotonic
    _memory: _Memory = field(default_factory=_Memory, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        check_head(scope)
        if not has_body(scope):
            await self.app(scope, receive, send)
        elif (limit := self.limit_of(scope["path"])) is not None:
            body = Body(scope, receive, limit)
            forget_packing(scope, None)
            await self.app(scope, self._paced(body), send)
        else:
            await self._read_whole(scope, Body(scope, receive, self.settings.max_body_bytes), send)

    async def _read_whole(self, scope: Scope, body: Body, send: Send) -> None:
        """Read all of the body, then hand it on in one piece."""
        with _Share(self._memory) as share:
            whole = await _in_time(_all_of(body, share), self.settings.read_timeout_s, body)
            if whole is None:
                return
            forget_packing(scope, len(whole))
            await self.app(scope, _replayed(whole, body.receive), send)

    def _paced(self, body: Body) -> Receive:
        """Hand the body on as it comes; only the time spent in waiting for it is counted."""
        waited = 0.0

        async def receive() -> Message:
            nonlocal waited
            if body.is_over:
                return await body.receive()
            start = self.clock()
            allowed = self.settings.read_timeout_s + body.n_bytes / LEAST_BYTES_PER_S
            piece = await _in_time(body.next(), allowed - waited, body)
            waited += self.clock() - start
            if piece is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": piece, "more_body": not body.is_over}

        return receive


def check_head(scope: Scope) -> None:
    """Make sure that method, address and headers are of a size and kind that is served.

    Raises:
        Problem: they are not.
    """
    if scope["method"] not in METHODS:
        raise Problem(
            Code.METHOD_NOT_ALLOWED,
            f"the method is '{scope['method'][:20]}'; known are {', '.join(METHODS)}",
            headers={"Allow": ", ".join(METHODS), **CLOSE},
        )
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    if len(path) + len(scope.get("query_string", b"")) > MAX_URL_BYTES:
        raise Problem(
            Code.URL_TOO_LONG,
            f"path and query have more than {MAX_URL_BYTES} bytes",
            hint="ask by POST, with a body, what can be asked so",
            headers=CLOSE,
        )
    n_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if len(scope["headers"]) > MAX_HEADERS or n_bytes > MAX_HEADER_BYTES:
        raise Problem(
            Code.HEADERS_TOO_LARGE,
            f"there are {len(scope['headers'])} headers of {n_bytes} bytes; "
            f"allowed are {MAX_HEADERS} of {MAX_HEADER_BYTES}",
            headers=CLOSE,
        )


async def _all_of(body: Body, share: _Share) -> bytes | None:
    """Read a body to its end; None where whoever sent it is gone."""
    pieces: list[bytes] = []
    while not body.is_over:
        piece = await body.next()
        if piece is None:
            return None
        share.reach(body.n_bytes)
        pieces.append(piece)
    return b"".join(pieces)


async def _in_time(reading: Awaitable[bytes | None], seconds: float, body: Body) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise Problem(
            Code.TOO_SLOW,
            f"the body was still coming when its time was up, after {body.n_bytes} bytes",
            hint="send it faster, or less at once",
            headers=CLOSE,
        ) from None


def _replayed(whole: bytes, receive: Receive) -> Receive:
    """Hand on a body that was read, once, and then what else comes."""
    rest: list[Message] = [{"type": "http.request", "body": whole, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay
