"""The layers round the application, in their order.

    request ─► Envelope ─► Problems ─► Auth ─► RateLimit ─► Limits ─► Admission ─► routes

Envelope is outside, so that every answer has an id and its headers. Problems is next, so that
whatever is raised further in becomes a document. Strangers are sent away before anything is counted
for them, and before a byte of their body is read. Bodies are read before a place is taken, so that
a slow sender holds none.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware import Middleware

from longtale.feedback.sessions import Limiter
from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.admission import Admission, Gate, LaneOf
from longtale.serve.auth import Auth, Needed
from longtale.serve.headers import Envelope
from longtale.serve.keys import KeyRing
from longtale.serve.limits import LimitOf, Limits
from longtale.serve.problems import Problems
from longtale.serve.rates import RateLimit


def layers(
    settings: AdmissionSettings,
    gate: Gate,
    *,
    ring: Callable[[], KeyRing],
    needed: Needed,
    limiter: Limiter,
    lane_of: LaneOf,
    limit_of: LimitOf,
) -> list[Middleware]:
    """Give the layers for `Starlette(middleware=...)`, the outermost first.

    Args:
        settings: what is allowed.
        gate: the places for work.
        ring: gives the keys as they are now.
        needed: what scope a method on a path needs.
        limiter: keeps the shares of each key.
        lane_of: which places a request needs.
        limit_of: names the paths with long bodies.
    """
    return [
        Middleware(Envelope),
        Middleware(Problems),
        Middleware(Auth, ring=ring, needed=needed),
        Middleware(RateLimit, limiter=limiter, settings=settings, telemetry=gate.telemetry),
        Middleware(Limits, settings=settings, limit_of=limit_of),
        Middleware(Admission, gate=gate, lane_of=lane_of),
    ]
