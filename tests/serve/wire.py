"""The wire between a test and an ASGI application, with every message in the test's hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE_S = 20
"""Seconds after which a test that waits for what never comes has failed."""
LOCAL = {"host": "127.0.0.1:8000"}


@dataclass
class Told:
    """What came back."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        """The headers; one that comes twice is an error of the test's own."""
        pairs = [(n.decode(), v.decode("latin-1")) for n, v in self.messages[0]["headers"]]
        assert len({name for name, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def send(self, message: Message) -> None:
        self.messages.append(message)


def request(
    method: str = "GET",
    path: str = "/v1/items/1",
    *,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    **changes: Any,
) -> Scope:
    """Give the scope of a request."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in pairs],
        "client": ("127.0.0.1", 50000),
        **changes,
    }


def sending(*chunks: bytes, is_whole: bool = True) -> Receive:
    """Give a body in chunks; after them the client waits, where it is not whole it stalls."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left) or not is_whole}

    return receive


async def asked(app: ASGIApp, scope: Scope, receive: Receive | None = None) -> Told:
    """Send a request and give what came back."""
    told = Told()
    await app(scope, sending(b"") if receive is None else receive, told.send)
    return told


def ask(app: ASGIApp, scope: Scope, receive: Receive | None = None) -> Told:
    """Send a request from outside of any event loop."""
    return asyncio.run(asyncio.wait_for(asked(app, scope, receive), PATIENCE_S))


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that all is well."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})
