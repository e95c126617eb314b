"""Connections among workers: who gets which, and what becomes of those that nobody takes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from longtale.errors import ServiceError
from longtale.serve.handing import Desk, Inbox

A_MOMENT_S = 0.05
"""In which a desk does what waits: it needs a thousandth of that."""


class Worker:
    """The other end of a channel, by hand."""

    def __init__(self, desk: Desk) -> None:
        self.channel = desk.hire()
        self.channel.setblocking(False)
        self.has: list[socket.socket] = []

    def told(self, what: bytes) -> None:
        self.channel.send(what)

    @property
    def n_handed(self) -> int:
        """How many connections came, those included that were taken before."""
        while True:
            try:
                _, handed, _, _ = socket.recv_fds(self.channel, 1, 1)
            except BlockingIOError:
                return len(self.has)
            self.has += [socket.socket(fileno=number) for number in handed]

    def end(self) -> None:
        for each in (self.channel, *self.has):
            each.close()


class Shop:
    """A desk, its workers, and who comes."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.desk = Desk(self.listener)
        self.workers: list[Worker] = []
        self.clients: list[socket.socket] = []

    def hired(self, n: int) -> list[Worker]:
        new = [Worker(self.desk) for _ in range(n)]
        self.workers += new
        for worker in new:
            worker.told(b"r")
            self.desk.attend(A_MOMENT_S)
        return new

    def come(self, n: int) -> list[socket.socket]:
        new = [socket.create_connection(self.listener.getsockname()) for _ in range(n)]
        self.clients += new
        self.desk.attend(A_MOMENT_S)
        return new

    def close(self) -> None:
        self.desk.close()
        for worker in self.workers:
            worker.end()
        for client in self.clients:
            client.close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.mark.parametrize(("n_workers", "n_come", "wanted"), [(2, 4, [2, 2]), (3, 7, [3, 2, 2])])
def test_workers_get_equally_many_connections(shop, n_workers, n_come, wanted):
    workers = shop.hired(n_workers)
    shop.come(n_come)
    assert [worker.n_handed for worker in workers] == wanted


def test_who_has_the_fewest_open_ones_is_next(shop):
    first, second = shop.hired(2)
    shop.come(4)
    second.told(b"e")
    second.told(b"e")
    shop.desk.attend(A_MOMENT_S)
    shop.come(2)
    assert (first.n_handed, second.n_handed) == (2, 4)


def test_short_connections_go_to_each_worker_in_turn(shop):
    workers = shop.hired(2)
    for n in range(4):
        shop.come(1)
        workers[n % 2].told(b"e")
        shop.desk.attend(A_MOMENT_S)
    assert [worker.n_handed for worker in workers] == [2, 2]


def test_nobody_is_let_in_before_a_worker_is_ready(shop):
    shop.workers += [worker := Worker(shop.desk)]
    shop.come(2)
    assert (worker.n_handed, shop.desk.was_ready) == (0, False)
    worker.told(b"r")
    shop.desk.attend(A_MOMENT_S)
    assert (worker.n_handed, shop.desk.was_ready) == (2, True)


def test_a_worker_that_is_gone_gets_nothing_and_who_comes_waits_for_the_next(shop):
    first, second = shop.hired(2)
    first.end()
    shop.come(2)
    assert second.n_handed == 2
    second.end()
    shop.desk.attend(A_MOMENT_S)
    shop.come(1)
    (third,) = shop.hired(1)
    assert third.n_handed == 1


def test_a_worker_that_takes_nothing_is_passed_over_once_its_channel_is_full(shop):
    deaf, awake = shop.hired(2)
    deaf.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for channel in shop.desk._n_open:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    n_awake = 0
    for _ in range(40):
        shop.come(1)
        n_awake = awake.n_handed
    assert n_awake + deaf.n_handed == 40
    assert n_awake > 20


def test_what_is_handed_over_is_the_connection_itself(shop):
    (worker,) = shop.hired(1)
    (client,) = shop.come(1)
    assert worker.n_handed == 1
    worker.has[0].sendall(b"hello")
    assert client.recv(5) == b"hello"


def test_a_closed_desk_refuses(shop):
    address = shop.listener.getsockname()
    shop.hired(1)
    shop.desk.close()
    with pytest.raises(ConnectionRefusedError, match="refused"):
        socket.create_connection(address)


def test_a_system_that_cannot_pass_connections_on_is_told_so(monkeypatch):
    monkeypatch.delattr(socket, "send_fds")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ServiceError, match=r"set serve\.workers to 1"),
    ):
        Desk(listener)


class Echo(asyncio.Protocol):
    """Sends back what comes, and closes."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.inbox.tell_end()


def test_an_inbox_serves_what_is_handed_over_and_says_when_it_ended(shop):
    inbox = Inbox(shop.desk.hire())

    async def serve() -> list[bytes]:
        inbox.open(lambda: Echo(inbox))
        await asyncio.to_thread(shop.desk.attend, A_MOMENT_S)
        clients = await asyncio.to_thread(shop.come, 3)
        assert [*shop.desk._n_open.values()] == [3]
        for client in clients:
            client.sendall(b"hello")
        answers = [await asyncio.to_thread(client.recv, 5) for client in clients]
        await asyncio.sleep(A_MOMENT_S)
        inbox.close()
        return answers

    assert asyncio.run(serve()) == [b"hello"] * 3
    (channel,) = shop.desk._n_open
    assert channel.recv(9) == b"eee"


def test_ends_that_could_not_be_told_are_told_with_the_next():
    own, other = socket.socketpair()
    with own, other:
        inbox = Inbox(other)
        n_told = 0
        while not inbox._n_untold:
            inbox.tell_end()
            n_told += 1
        own.setblocking(False)
        n_heard = len(own.recv(1 << 20))
        inbox.tell_end()
        assert n_heard + len(own.recv(1 << 20)) == n_told + 1
