from __future__ import annotations

import numpy as np

from longtale.reliability.nonsense import Nonsense, filled, oversized, slow

URL = "http://127.0.0.1:1"
LIMIT = 8 * 1024 * 1024


def drawn(seed: int, n: int = 200) -> list[bytes]:
    nonsense = Nonsense(URL, "lt_token", np.random.default_rng(seed))
    return [nonsense.next_request() for _ in range(n)]


def test_the_same_seed_gives_the_same_requests():
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_all_kinds_come():
    together = b"".join(drawn(0, 600))
    for part in (b"NaN", b"\\ud800", b"[" * 1000, b"Content-Encoding: gzip", b"HTTP/9.9", b"%00"):
        assert part in together, part


def test_bodies_that_are_too_large_are_so_packed_and_unpacked():
    plain, chunked, *packed = oversized(URL, "lt_token")
    assert len(plain.partition(b"\r\n\r\n")[2]) > LIMIT
    assert b"Transfer-Encoding: chunked" in chunked
    assert all(len(each) < LIMIT for each in packed)


def test_slow_requests_are_never_whole():
    for content in slow(URL, "lt_token"):
        head, _, body = content.partition(b"\r\n\r\n")
        assert b"Content-Length: 1000" not in head or len(body) < 1000


def test_no_brace_is_left_in_an_address():
    assert filled("/v1/explain/{slate_id}/{item}") == "/v1/explain/s1/i1"
