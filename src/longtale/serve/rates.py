"""How many requests a key may make: its share, what is left of it, when there will be more."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from longtale.feedback.sessions import Allowance, Limiter, MemoryLimiter
from longtale.monitor.telemetry import Telemetry
from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.auth import key_of
from longtale.serve.headers import state_of
from longtale.serve.problems import Code, Problem


@dataclass(frozen=True, eq=False)
class RateLimit:
    """Lets each key ask so often, and says on every answer how much is left (`RateLimit-*`).

    What is open to all has no limit.

    Args:
        app: what is protected.
        limiter: keeps the shares.
        settings: `requests_per_s`, 0 for no limit, and `burst`.
        telemetry: is told of who is turned away.
        clock: seconds that only go forward.
    """

    app: ASGIApp
    limiter: Limiter
    settings: AdmissionSettings
    telemetry: Telemetry | None = None
    clock: Callable[[], float] = time.monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = key_of(scope) if scope["type"] == "http" else None
        if key is not None and self.settings.requests_per_s > 0:
            allowance = await self._take(key.id)
            state_of(scope).setdefault("headers", []).extend(self._headers(allowance))
            if not allowance.is_allowed:
                raise self._turned_away(key.id, allowance)
        await self.app(scope, receive, send)

    async def _take(self, key_id: str) -> Allowance:
        """Take one request out of a key's share; a limiter elsewhere is asked in a thread."""
        share = (key_id, self.settings.requests_per_s, self.settings.burst, self.clock())
        if isinstance(self.limiter, MemoryLimiter):
            return self.limiter.take(*share)
        return await asyncio.to_thread(self.limiter.take, *share)

    def _headers(self, allowance: Allowance) -> list[tuple[bytes, bytes]]:
        told = {
            b"ratelimit-limit": self.settings.burst,
            b"ratelimit-remaining": allowance.remaining,
            b"ratelimit-reset": math.ceil(allowance.reset_s),
        }
        return [(name, str(value).encode("ascii")) for name, value in told.items()]

    def _turned_away(self, key_id: str, allowance: Allowance) -> Problem:
        if self.telemetry is not None:
            self.telemetry.turned_away("rate")
        return Problem(
            Code.RATE_LIMITED,
            f"key '{key_id}' may make {self.settings.requests_per_s:g} requests a second, and "
            f"{self.settings.burst} at once; these are used up",
            hint="ask again after the time in Retry-After",
            headers={"Retry-After": str(max(1, math.ceil(allowance.retry_after_s)))},
        )
