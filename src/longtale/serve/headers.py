"""What goes round every answer: its id, its stage times, and what a browser may do with it.

The parts of the service hand things to each other in `scope["state"]`, which a route sees as
`request.state`:

    request_id   under which this request is logged and answered
    stages       milliseconds by name of stage, filled by whoever does the work
    headers      further headers of the answer, pairs of bytes, whatever the answer turns out to be
    key          whose request it is (`serve/auth.py`)

The server writes `Date`. It also writes its own name unless it is told not to
(`uvicorn --no-server-header`): what runs here is nobody's business.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

RawHeaders = Iterable[tuple[bytes, bytes]]

_SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")
"""What may not stand in the name of a metric (RFC 9110, token)."""

SECURITY: Mapping[bytes, bytes] = {
    # The studio brings all it needs: own scripts and styles, nothing inline, nothing from outside.
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
        b"base-uri 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_BOASTS = frozenset([b"server", b"x-powered-by"])


@dataclass(frozen=True, eq=False)
class Envelope:
    """Gives each request an id, and each answer its headers; the outermost layer.

    A header that the application set itself stays as it is.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = state_of(scope)
        state["request_id"] = request_id(scope["headers"])
        state["stages"] = {}
        state["headers"] = []
        is_private = scope["path"].startswith("/v1")

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = _complete(message.get("headers", ()), state, is_private=is_private)
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, sealed)


def state_of(scope: Scope) -> dict[str, Any]:
    """Give what the parts of the service know of this request."""
    state: dict[str, Any] = scope.setdefault("state", {})
    return state


def header(headers: RawHeaders, name: bytes) -> bytes | None:
    """Give the first header of a (lower-case) name; None where there is none."""
    return next((value for found, value in headers if found == name), None)


def request_id(headers: RawHeaders) -> str:
    """Give the id that the caller chose, if it is at most 128 visible ASCII signs, else a new one.

    Example:
        >>> request_id([(b"x-request-id", b"order-17")])
        'order-17'
    """
    chosen = header(headers, b"x-request-id")
    if chosen is not None and _SANE_ID.fullmatch(chosen):
        return chosen.decode("ascii")
    return uuid.uuid4().hex


def server_timing(stages: Mapping[str, float]) -> str:
    """Give stage times in milliseconds as the header `Server-Timing`.

    Example:
        >>> server_timing({"score": 1.25, "present": 0.5})
        'score;dur=1.250, present;dur=0.500'
    """
    return ", ".join(
        f"{_NO_TOKEN.sub('_', name)};dur={ms:.3f}"
        for name, ms in stages.items()
        if name and math.isfinite(ms)
    )


def _complete(
    headers: RawHeaders, state: Mapping[str, Any], *, is_private: bool
) -> list[tuple[bytes, bytes]]:
    kept = [pair for pair in headers if pair[0] not in _BOASTS]
    names = {name for name, _ in kept}
    kept += [pair for pair in SECURITY.items() if pair[0] not in names]
    if is_private and b"cache-control" not in names:
        kept.append((b"cache-control", b"no-store"))
    kept.append((b"x-request-id", state["request_id"].encode("ascii")))
    kept += state["headers"]
    if timing := server_timing(state["stages"]):
        kept.append((b"server-timing", timing.encode("ascii")))
    return kept
