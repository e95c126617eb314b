from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from tests.serve.test_admission import VirtualLoop
from tests.serve.wire import fine
from uvicorn.server import ServerState

from longtale.serve.protocol import HEAD_TIMEOUT_S, MAX_HEAD_BYTES, GuardedProtocol

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
PIECE = b"x" * 1000


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.told += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connected(play: Callable[[GuardedProtocol, Wire], Any], app=fine) -> Wire:
    """Play on a connection to a server; sleeping takes no time."""

    async def run() -> None:
        config = uvicorn.Config(app, lifespan="off", log_config=None, http=GuardedProtocol)
        config.load()
        protocol = GuardedProtocol(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(wire)
        await play(protocol, wire)
        protocol.connection_lost(None)

    wire = Wire()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
    return wire


async def flood(protocol: GuardedProtocol, wire: Wire, piece: bytes) -> int:
    """Send pieces until the connection is closed; give how many bytes that took."""
    for n_sent in range(1, 1000):
        protocol.data_received(piece)
        if wire.is_closed:
            return n_sent * len(piece)
    return 0


@pytest.mark.parametrize("piece", [PIECE, b"a: b\r\n" * 100], ids=["one header", "many headers"])
@pytest.mark.parametrize("begun", [HEAD, b"GET /", b"G"], ids=["head", "address", "method"])
def test_a_head_that_does_not_end_is_cut_off(begun, piece):
    async def play(protocol, wire):
        protocol.data_received(begun)
        n_sent = await flood(protocol, wire, piece)
        assert n_sent <= MAX_HEAD_BYTES + len(piece)

    wire = connected(play)
    assert wire.is_closed and wire.told.startswith(b"HTTP/1.1 4")


def test_a_head_that_is_too_long_is_told_so():
    async def play(protocol, wire):
        protocol.data_received(HEAD + b"x: ")
        await flood(protocol, wire, PIECE)

    told = connected(play).told
    assert told.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == "headers_too_large"


@pytest.mark.parametrize("begun", [b"", b"GET / HT", HEAD])
def test_a_head_that_does_not_come_is_not_waited_for(begun):
    async def play(protocol, wire):
        protocol.data_received(begun) if begun else None
        await asyncio.sleep(HEAD_TIMEOUT_S - 1)
        assert not wire.is_closed
        await asyncio.sleep(1.1)
        assert wire.is_closed

    assert b"HTTP/1.1 408 " in connected(play).told


def test_a_second_head_that_does_not_come_is_not_waited_for():
    async def play(protocol, wire):
        protocol.data_received(HEAD + b"\r\n")
        await asyncio.sleep(2)
        protocol.data_received(HEAD)
        await asyncio.sleep(HEAD_TIMEOUT_S + 0.1)

    told = connected(play).told
    assert told.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 408 " in told


def test_drops_of_a_head_buy_no_time():
    async def play(protocol, wire):
        protocol.data_received(HEAD)
        for _ in range(int(HEAD_TIMEOUT_S) + 1):
            await asyncio.sleep(1)
            protocol.data_received(b"x: y\r\n") if not wire.is_closed else None

    assert b"HTTP/1.1 408 " in connected(play).told


def test_an_answer_that_takes_long_is_not_cut_off():
    async def slow(scope, receive, send):
        await asyncio.sleep(10 * HEAD_TIMEOUT_S)
        await fine(scope, receive, send)

    async def play(protocol, wire):
        protocol.data_received(HEAD + b"\r\n")
        await asyncio.sleep(10 * HEAD_TIMEOUT_S + 1)
        assert not wire.is_closed

    assert connected(play, slow).told.startswith(b"HTTP/1.1 200")


async def reading(scope, receive, send):
    """Read all of the body, and answer with its length."""
    n_bytes, message = 0, {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        n_bytes += len(message.get("body", b""))
    length = str(n_bytes).encode()
    headers = [(b"content-length", str(len(length)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": length})


def test_a_body_may_be_as_long_as_the_application_reads():
    async def play(protocol, wire):
        n_bytes = 10 * MAX_HEAD_BYTES
        protocol.data_received(HEAD.replace(b"GET", b"POST"))
        protocol.data_received(f"content-length: {n_bytes}\r\n\r\n".encode())
        for _ in range(10):
            protocol.data_received(b"x" * MAX_HEAD_BYTES)
            await asyncio.sleep(0.1)
        assert not wire.is_closed

    assert connected(play, reading).told.endswith(str(10 * MAX_HEAD_BYTES).encode())


def test_what_comes_behind_a_body_does_not_fill_the_memory():
    async def play(protocol, wire):
        protocol.data_received(
            HEAD.replace(b"GET", b"POST") + b"transfer-encoding: chunked\r\n\r\n"
        )
        await asyncio.sleep(0.1)
        protocol.data_received(b"1\r\nx\r\n0\r\ntrailer: ")
        assert await flood(protocol, wire, PIECE) <= MAX_HEAD_BYTES + len(PIECE)

    wire = connected(play, reading)
    assert wire.is_closed and not wire.told


def test_an_answer_that_is_on_its_way_is_not_mixed_with_another():
    async def never(scope, receive, send):
        await asyncio.Event().wait()

    async def play(protocol, wire):
        protocol.data_received(HEAD + b"\r\n")
        await asyncio.sleep(0.1)
        protocol.data_received(HEAD + b"x: ")
        await flood(protocol, wire, PIECE)
        protocol.cycle.disconnected = True

    wire = connected(play, never)
    assert wire.is_closed and not wire.told
