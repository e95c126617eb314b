"""Asking over HTTP with little work of one's own, so that a load is the server's and not ours."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Told:
    """An answer.

    Args:
        status: of HTTP; 0 where the connection was lost before an answer.
        head: status line and headers as they came.
        body: what follows.
    """

    status: int
    head: bytes = b""
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body as plain values."""
        return json.loads(self.body)

    def has_header(self, name: str) -> bool:
        """Say whether a header came."""
        return f"\r\n{name.lower()}:".encode() in self.head.lower()


LOST = Told(0)


def request(
    url: str,
    path: str,
    *,
    method: str = "GET",
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Give the bytes of a request.

    Example:
        >>> request("http://127.0.0.1:80", "/v1/status").splitlines()[0]
        b'GET /v1/status HTTP/1.1'
    """
    content = (
        b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    )
    told = {"Host": urlsplit(url).netloc, **(headers or {})}
    if body is not None:
        told = {"Content-Type": "application/json", "Content-Length": str(len(content)), **told}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines).encode() + _HEAD_END + content


class Line(asyncio.Protocol):
    """A connection on which one request follows another."""

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._came = bytearray()
        self._answer: asyncio.Future[Told] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.is_open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that nothing comes any more."""
        self.is_open = False
        self._give(LOST)

    def data_received(self, data: bytes) -> None:
        """Gather an answer until it is whole."""
        self._came += data
        end = self._came.find(_HEAD_END)
        if end < 0:
            return
        head = bytes(self._came[:end])
        start = end + len(_HEAD_END)
        length = _length_of(head)
        if len(self._came) >= start + length:
            body = bytes(self._came[start : start + length])
            self._came.clear()
            if b"\r\nconnection: close" in head.lower():
                self.close()
            self._give(Told(int(head[9:12]), head, body))

    def close(self) -> None:
        """Let go of it."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    async def ask(self, content: bytes) -> Told:
        """Send a request and wait for its answer."""
        if not self.is_open or self._transport is None:
            return LOST
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(content)
        return await self._answer

    def _give(self, told: Told) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(told)


class Lines:
    """Connections to one server, opened as they are needed and used again.

    Args:
        url: where the server listens.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._idle: deque[Line] = deque()
        self._all: list[Line] = []

    async def ask(self, content: bytes) -> Told:
        """Send a request on a connection that is free, and wait for its answer."""
        try:
            line = await self._free()
        except OSError:
            return LOST
        told = await line.ask(content)
        if line.is_open:
            self._idle.append(line)
        return told

    def close(self) -> None:
        """Let go of all connections."""
        for line in self._all:
            line.close()

    async def _free(self) -> Line:
        while self._idle:
            line = self._idle.pop()
            if line.is_open:
                return line
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, self._host, self._port)
        self._all.append(line)
        return line


def _length_of(head: bytes) -> int:
    low = head.lower()
    at = low.find(_LENGTH)
    if at < 0:
        return 0
    return int(low[at + len(_LENGTH) :].partition(b"\r\n")[0])
