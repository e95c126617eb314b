from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from longtale.reliability.load import (
    Timed,
    closed_loop,
    one_by_one,
    open_loop,
    open_loops,
    percentile,
    with_status,
)
from longtale.reliability.wire import LOST, Told, request

STALL_S = 0.5
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Handler(socketserver.StreamRequestHandler):
    """Gives the answers of its server in turn, and lets all wait while one stalls."""

    server: Canned

    def handle(self) -> None:
        while any(line == b"\r\n" for line in iter(self.rfile.readline, b"")):
            with self.server.turn:
                n, self.server.n_asked = self.server.n_asked, self.server.n_asked + 1
                if n == self.server.stalls_at:
                    time.sleep(STALL_S)
            answer = self.server.answers[n % len(self.server.answers)]
            self.wfile.write(answer)
            if b"Connection: close" in answer:
                return


class Canned(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, answers: Sequence[bytes], stalls_at: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.stalls_at = answers, stalls_at
        self.n_asked = 0
        self.turn = threading.Lock()


@contextmanager
def server(*answers: bytes, stalls_at: int = -1) -> Iterator[str]:
    """Run a server that gives these answers in turn, and answers nobody for a while at one."""
    with Canned(answers, stalls_at) as canned:
        thread = threading.Thread(target=canned.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{canned.server_address[1]}"
        canned.shutdown()
        thread.join()


def get(_: int) -> bytes:
    return request("http://127.0.0.1", "/")


def test_an_open_loop_counts_from_when_a_request_was_due():
    with server(FINE, stalls_at=5) as url:
        timed = open_loop(url, get, per_s=50, seconds=0.4)
    assert len(timed) == 20
    late = [each for each in timed if each.took_ms > 100]
    assert len(late) > 5, "all who were due while the server stalled have waited"
    assert [each.at for each in timed] == sorted(each.at for each in timed)


def test_a_closed_loop_asks_less_of_a_slow_server():
    with server(FINE, stalls_at=5) as url:
        timed = closed_loop(url, get, at_once=1, seconds=0.4)
    assert sum(each.took_ms > 100 for each in timed) == 1


def test_rates_follow_each_other():
    with server(FINE) as url:
        timed = open_loops(url, get, [(100, 0.1), (20, 0.2)])
    dues = [round(each.at, 3) for each in timed]
    assert len([due for due in dues if due < 0.1]) == 10
    assert [due for due in dues if due >= 0.1] == [0.1, 0.15, 0.2, 0.25]


def test_so_many_are_sent_one_by_one():
    with server(FINE) as url:
        assert len(one_by_one(url, get, n=7)) == 7


def test_an_answer_that_closes_the_connection_is_an_answer_and_the_next_has_another():
    last = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with server(FINE, last) as url:
        told = [each.told for each in one_by_one(url, get, n=4)]
    assert [each.status for each in told] == [200, 503, 200, 503]
    assert told[1].has_header("Retry-After")
    assert not told[0].has_header("Retry-After")


def test_a_body_that_comes_in_pieces_is_put_together():
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    with server(whole) as url:
        (each,) = one_by_one(url, get, n=1)
    assert each.told.body == b"x" * 200_000


def test_who_is_not_there_answers_nothing():
    with server(FINE) as url:
        pass
    (each,) = one_by_one(url, get, n=1)
    assert each.told is LOST


def test_percentiles_of_nothing_are_infinite():
    assert percentile([], 99) == float("inf")
    assert percentile([Timed(Told(200), 5.0, 0.0)], 99) == 5.0


def test_answers_are_chosen_by_status():
    timed = [Timed(Told(status), 1.0, 0.0) for status in (200, 429, 503, 500)]
    assert [each.told.status for each in with_status(timed, 429, 503)] == [429, 503]


@pytest.mark.parametrize("body", [b"{}", {"a": 1}, []])
def test_a_request_says_how_long_its_body_is(body):
    content = request("http://h:1", "/x", method="POST", body=body)
    head, _, sent = content.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(sent)}".encode() in head
    assert b"Host: h:1" in head
