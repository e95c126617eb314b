"""HTTP/1.1 of uvicorn, with limits for what comes before the application is asked.

An application first hears of a request when its head is whole. Until then uvicorn keeps whatever
comes, for as long as it comes: one client could fill the memory with a header that never ends, or
take all connections by sending nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from longtale.serve.problems import MEDIA_TYPE, Code, Problem

MAX_HEAD_BYTES = 64 * 1024
"""What may come before a head is whole, beyond the one piece in which it begins. More than
`limits` allows of headers and address together, since there the answer is a better one."""
HEAD_TIMEOUT_S = 10.0
"""Seconds in which a head must have come, from the beginning of the connection or of the head."""


class GuardedProtocol(HttpToolsProtocol):
    """Cuts off heads that are too long or too slow; for `uvicorn.Config(http=GuardedProtocol)`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._n_kept = 0
        self._deadline: asyncio.TimerHandle | None = None
        self.on_end: Callable[[], None] | None = None
        """Is called when the connection has ended."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self.on_end is not None:
            self.on_end()

    def data_received(self, data: bytes) -> None:
        """Read what came, if it does not make what is kept too long."""
        self._n_kept += len(data)  # set back by whatever the parser finds whole in it
        super().data_received(data)
        if self._n_kept > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(
                Code.HEADERS_TOO_LARGE, f"the head of the request has over {MAX_HEAD_BYTES} bytes"
            )

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._n_kept = 0
        self._await_head()

    def on_headers_complete(self) -> None:
        """End a head."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body."""
        self._n_kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._n_kept = 0
        super().on_message_complete()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._be_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _be_late(self) -> None:
        self._deadline = None
        self._refuse(
            Code.TOO_SLOW, f"the head of the request did not come within {HEAD_TIMEOUT_S:g} s"
        )

    def _refuse(self, code: Code, detail: str) -> None:
        """Close the connection, with an answer where no other is on its way."""
        if getattr(self.cycle, "response_complete", True):
            body = orjson.dumps(Problem(code, detail).as_dict(""))
            head = (
                f"HTTP/1.1 {code.status} {HTTPStatus(code.status).phrase}\r\n"
                f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()
