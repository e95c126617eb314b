from __future__ import annotations

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from tests.serve.wire import PATIENCE_S, Told, ask, asked, fine, request, sending

from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve import limits
from longtale.serve.bodies import PIECE_BYTES, packings
from longtale.serve.limits import Limits
from longtale.serve.problems import Problems

LIMIT = 4 * PIECE_BYTES
SETTINGS = AdmissionSettings(max_body_bytes=LIMIT)
LONG = 40 * PIECE_BYTES
CHUNKED = {"transfer-encoding": "chunked"}
NOISE = random.Random(3).randbytes(PIECE_BYTES)


def zlibbed(raw: bytes) -> bytes:
    return zlib.compress(raw)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlibbed}


async def echo(scope, receive, send):
    """Answer with the body as it came, and with what the headers say of it."""
    seen = Request(scope, receive)
    body = b"".join([piece async for piece in seen.stream()])
    told = {
        "x-length": seen.headers.get("content-length", "?"),
        "x-packing": seen.headers.get("content-encoding", "none"),
    }
    await Response(body, headers=told)(scope, receive, send)


def limited(app=echo, settings: AdmissionSettings = SETTINGS) -> Problems:
    return Problems(Limits(app, settings, lambda path: LONG if path == "/v1/bulk/items" else None))


def post(body: bytes, *, path="/v1/events", parts=1, headers=(), settings=SETTINGS) -> Told:
    size = max(1, -(-len(body) // parts))
    chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    said = dict(headers)
    if not said.keys() & {"content-length", "transfer-encoding"}:
        said["transfer-encoding"] = "chunked"
    scope = request("POST", path, headers=said)
    return ask(limited(settings=settings), scope, sending(*chunks))


@pytest.mark.parametrize("path", ["/v1/events", "/v1/bulk/items"])
@given(
    body=st.binary(max_size=5000),
    parts=st.integers(1, 50),
    packing=st.sampled_from(["", *PACKINGS]),
)
def test_a_body_arrives_as_it_was_before_it_was_packed(path, body, parts, packing):
    sent = PACKINGS[packing](body) if packing else body
    headers = {"content-encoding": packing} if packing else {}
    told = post(sent, path=path, parts=parts, headers=headers)
    assert (told.status, told.body) == (200, body)
    assert told.headers["x-packing"] == "none"
    assert told.headers["x-length"] == (str(len(body)) if path == "/v1/events" else "?")


@pytest.mark.parametrize("packing", ["", *PACKINGS])
@pytest.mark.parametrize("raw", [bytes(LIMIT), NOISE * 4], ids=["zeros", "noise"])
def test_the_limit_counts_what_was_unpacked_and_is_exact(raw, packing):
    pack = PACKINGS.get(packing, bytes)
    headers = {"content-encoding": packing} if packing else {}
    room = AdmissionSettings(max_body_bytes=max(len(pack(raw)), LIMIT))
    assert post(pack(raw), headers=headers, settings=room).body == raw
    told = post(pack(raw + bytes(room.max_body_bytes - LIMIT + 1)), headers=headers, settings=room)
    assert (told.status, told.json["code"]) == (413, "body_too_large")
    assert told.headers["connection"] == "close"


def test_a_body_that_says_it_is_too_long_is_not_read():
    async def receive():
        raise AssertionError("it was read")

    scope = request("POST", "/v1/events", headers={"content-length": str(LIMIT + 1)})
    assert ask(limited(), scope, receive).status == 413


def test_a_body_that_is_longer_than_it_says_is_cut_off():
    assert post(bytes(LIMIT + 1), parts=9, headers={"content-length": "5"}).status == 413


def test_a_body_that_unpacks_to_nothing_may_be_no_longer_than_others():
    empty_block = b"\x00\x00\x00\xff\xff"  # RFC 1951, 3.2.4
    packed = b"\x78\x9c" + empty_block * (LIMIT // 5)
    told = post(packed, parts=20, headers={"content-encoding": "deflate"})
    assert told.status == 413


@pytest.mark.parametrize("path", ["/v1/events", "/v1/bulk/items"])
def test_a_bomb_takes_little_memory(path):
    bomb = gzip.compress(bytes(100 * LIMIT))
    tracemalloc.start()
    told = post(bomb, path=path, headers={"content-encoding": "gzip"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told.status == 413
    assert peak < LONG + 4 * LIMIT


def test_a_long_body_is_handed_on_piece_by_piece():
    async def app(scope, receive, send):
        message = {"more_body": True}
        while message["more_body"]:
            message = await receive()
            sizes.append(len(message["body"]))
        await fine(scope, receive, send)

    sizes: list[int] = []
    scope = request("POST", "/v1/bulk/items", headers={"content-encoding": "gzip", **CHUNKED})
    ask(limited(app), scope, sending(gzip.compress(bytes(LONG))))
    assert max(sizes) <= PIECE_BYTES and sum(sizes) == LONG


def test_a_long_body_is_handed_on_before_all_of_it_is_there():
    async def app(scope, receive, send):
        seen.append(await receive())
        more.set()
        seen.append(await receive())
        await fine(scope, receive, send)

    async def receive():
        if seen:
            await more.wait()
        return {"type": "http.request", "body": b"x", "more_body": not seen}

    async def run() -> Told:
        return await asked(
            limited(app), request("POST", "/v1/bulk/items", headers=CHUNKED), receive
        )

    seen: list[dict] = []
    more = asyncio.Event()
    assert asyncio.run(run()).status == 200
    assert [message["more_body"] for message in seen] == [True, False]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "br"},
        {"content-encoding": "gzip, gzip"},
        {"content-encoding": "x" * 500},
    ],
)
def test_an_unknown_packing_is_refused(headers):
    told = post(b"x", headers=headers)
    assert (told.status, told.headers["accept-encoding"]) == (415, "gzip, deflate")


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda packed: packed[:-1], "ends too early"),
        (lambda packed: packed + b"x", "behind its end"),
        (lambda packed: b"x" + packed, "incorrect header"),
        (lambda packed: packed[:-1] + b"?", "check"),
        (lambda _: b"", "ends too early"),
    ],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(packing, spoil, why):
    told = post(spoil(PACKINGS[packing](b"hello")), headers={"content-encoding": packing})
    assert (told.status, told.json["code"]) == (400, "bad_body")
    assert why in told.json["detail"]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_stands_in_the_headers_is_answered_and_no_fault_of_ours(packing, length):
    headers = [(b"content-encoding", packing), (b"content-length", length)]
    scope = {**request("POST", "/v1/events"), "headers": headers}
    assert ask(limited(), scope, sending(b"x")).status in (200, 400, 413, 415)


@given(st.lists(st.sampled_from(["gzip", "identity", "", "br", "deflate"]), max_size=4))
def test_packings_are_read_in_any_case_and_spacing(words):
    kept = [word for word in words if word not in ("", "identity")]
    said = " ,\t".join(word.upper() for word in words).encode()
    assert packings([(b"content-encoding", said)]) == kept
    assert packings([(b"content-encoding", word.encode()) for word in words]) == kept


@pytest.mark.parametrize("said", [["1", "2"], ["-1"], ["1e3"], ["9" * 30], ["+1"], ["0x1"]])
def test_a_length_that_is_no_number_is_refused(said):
    headers = [("content-length", value) for value in said]
    assert ask(limited(), request("POST", headers=headers)).status == 400


HASTY = AdmissionSettings(read_timeout_s=0.01)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/bulk/items"])
def test_a_body_that_does_not_come_is_not_waited_for(path):
    scope = request("POST", path, headers={"content-length": "100"})
    told = ask(limited(settings=HASTY), scope, sending(b"begun", is_whole=False))
    assert (told.status, told.json["code"]) == (408, "too_slow")
    assert "after 5 bytes" in told.json["detail"]


def test_a_long_body_may_take_as_long_as_it_is_fast_enough():
    async def receive():
        nonlocal now, left
        await asyncio.sleep(0)
        now += 9.0
        left -= 1
        return {"type": "http.request", "body": bytes(sizes), "more_body": left > 0}

    def run() -> int:
        nonlocal now, left
        now, left = 0.0, 5
        app = Problems(Limits(echo, AdmissionSettings(), lambda _: LONG, clock=lambda: now))
        return ask(app, request("POST", headers=CHUNKED), receive).status

    now, left = 0.0, 0
    sizes = 9 * limits.LEAST_BYTES_PER_S
    assert run() == 200
    sizes = 1
    assert run() == 408


def test_what_the_application_takes_to_read_is_not_held_against_the_sender():
    async def slow(scope, receive, send):
        nonlocal now
        for _ in range(3):
            await receive()
            now += 1000
        await fine(scope, receive, send)

    now = 0.0
    app = Problems(Limits(slow, AdmissionSettings(), lambda _: LONG, clock=lambda: now))
    scope = request("POST", headers=CHUNKED)
    assert ask(app, scope, sending(b"a", b"b", b"c")).status == 200


def test_who_is_gone_while_sending_is_not_answered():
    async def receive():
        return {"type": "http.disconnect"}

    for path in ("/v1/events", "/v1/bulk/items"):
        assert not ask(limited(), request("POST", path, headers=CHUNKED), receive).messages


def test_after_the_body_the_application_can_wait_for_the_end_of_the_connection():
    async def app(scope, receive, send):
        seen.extend([(await receive())["type"], (await receive())["type"]])
        await fine(scope, receive, send)

    async def receive():
        return came.pop(0)

    for path in ("/v1/events", "/v1/bulk/items"):
        seen: list[str] = []
        came = [{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}]
        ask(limited(app), request("POST", path, headers=CHUNKED), receive)
        assert seen == ["http.request", "http.disconnect"]


def test_the_end_of_the_connection_may_come_late():
    async def receive():
        if came:
            await asyncio.sleep(3 * HASTY.read_timeout_s)
        came.append("more")
        return (
            {"type": "http.request", "body": b"x"}
            if len(came) == 1
            else {"type": "http.disconnect"}
        )

    async def app(scope, receive, send):
        assert [(await receive())["type"] for _ in "12"] == ["http.request", "http.disconnect"]
        await fine(scope, receive, send)

    for path in ("/v1/events", "/v1/bulk/items"):
        came: list[str] = []
        scope = request("POST", path, headers=CHUNKED)
        assert ask(limited(app, HASTY), scope, receive).status == 200


def test_large_bodies_share_memory_and_small_ones_have_their_own(monkeypatch):
    async def app(scope, receive, send):
        begun.set()
        await finish.wait()
        await fine(scope, receive, send)

    async def run() -> tuple[int, int, int, int]:
        async def sent(n_bytes: int) -> Told:
            scope = request("POST", headers={"content-length": str(n_bytes)})
            return await asked(protected, scope, sending(*[bytes(10_000)] * (n_bytes // 10_000)))

        first = asyncio.create_task(sent(150_000))
        await begun.wait()
        refused = await sent(150_000)
        small = asyncio.create_task(sent(50_000))
        finish.set()
        return (
            (await first).status,
            refused.status,
            (await small).status,
            (await sent(150_000)).status,
        )

    monkeypatch.setattr(limits, "SHARED_BYTES", 100_000)
    begun, finish = asyncio.Event(), asyncio.Event()
    protected = limited(app)
    assert asyncio.run(asyncio.wait_for(run(), PATIENCE_S)) == (200, 503, 200, 200)


def test_a_request_without_a_body_is_not_read():
    async def app(scope, receive, send):
        assert receive is own
        await fine(scope, receive, send)

    own = sending()
    for headers in ({}, {"content-length": "0", "content-encoding": "gzip"}):
        assert ask(limited(app), request(headers=headers), own).status == 200


def test_a_body_needs_no_headers_in_http_2():
    scope = request("POST", http_version="2")
    assert ask(limited(), scope, sending(bytes(LIMIT + 1))).status == 413


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"raw_path": b"/" + b"x" * limits.MAX_URL_BYTES}, 414),
        ({"query_string": b"x" * limits.MAX_URL_BYTES}, 414),
        ({"raw_path": None, "path": "/" + "é" * (limits.MAX_URL_BYTES // 2)}, 414),
        ({"headers": [("a", "b")] * (limits.MAX_HEADERS + 1)}, 431),
        ({"headers": [("a", "b" * limits.MAX_HEADER_BYTES)]}, 431),
        ({"method": "TRACE"}, 405),
        ({"method": "X" * 1000}, 405),
        ({"headers": [("a", "b")] * limits.MAX_HEADERS}, 200),
        ({"raw_path": b"/" + b"x" * (limits.MAX_URL_BYTES - 1)}, 200),
    ],
)
def test_the_head_of_a_request_has_limits(changes, status):
    told = ask(limited(fine), request(**changes))
    assert told.status == status
    assert len(told.body) < 500
