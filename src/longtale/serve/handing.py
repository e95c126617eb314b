"""Connections among workers: one process accepts, and hands each to the worker with the fewest.

Workers that accept from one socket share badly: whoever is awake first takes all that wait, and a
handful of connections that stay open land at one worker while the others rest. Sockets of their own
at one address (SO_REUSEPORT) leave it to a hash of the ports: four connections fall two and two in
three cases of eight. Here the process that starts the workers accepts, and passes the open socket
on through a channel to each worker (SCM_RIGHTS), by which the worker says when it is ready and when
a connection has ended. Passing one on takes a twentieth of a millisecond, once for a connection.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from longtale import log
from longtale.errors import ServiceError

_READY, _ENDED, _HANDED = b"r", b"e", b"h"
_MOST_TOLD = 4096  # bytes that are read of a channel at once, each says one thing
_REST_S = 0.1  # where the system has no room for a connection more


class Desk:
    """Accepts at one address, and hands each connection to the worker with the fewest open ones.

    Where several have equally few it is the turn of the one that has waited longest. Before a
    worker is ready nothing is accepted, and whoever comes waits.

    Args:
        listener: listens at the address.

    Raises:
        ServiceError: this system cannot pass an open connection to another process.
    """

    def __init__(self, listener: socket.socket) -> None:
        if not hasattr(socket, "send_fds"):
            raise ServiceError(
                "several workers need a system that passes open connections between processes "
                "(Linux, macOS), and this is none; set serve.workers to 1"
            )
        listener.setblocking(False)
        self._listener = listener
        self._n_open: dict[socket.socket, int] = {}
        self._selector = selectors.DefaultSelector()
        self.was_ready = False
        """Whether any worker was ready yet."""

    def hire(self) -> socket.socket:
        """Give a new worker's end of its channel."""
        own, other = socket.socketpair()
        own.setblocking(False)
        self._selector.register(own, selectors.EVENT_READ)
        return other

    def attend(self, seconds: float) -> None:
        """Hand over what comes within a time."""
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left_s):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._hear(cast("socket.socket", key.fileobj))

    def close(self) -> None:
        """Let nobody in any more."""
        self._selector.close()
        self._listener.close()
        for channel in self._n_open:
            channel.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # whoever came is gone already
        except OSError as error:
            log.warn("no connection can be accepted", reason=str(error))
            time.sleep(_REST_S)
            return
        with connection:
            self._hand_over(connection)

    def _hand_over(self, connection: socket.socket) -> None:
        for channel in sorted(self._n_open, key=self._n_open.__getitem__):
            try:
                socket.send_fds(channel, [_HANDED], [connection.fileno()])
            except OSError:
                continue  # it takes no more, or is gone
            self._n_open[channel] = self._n_open.pop(channel) + 1  # behind those that wait longer
            return
        log.warn("a connection was closed, for no worker took it")

    def _hear(self, channel: socket.socket) -> None:
        try:
            told = channel.recv(_MOST_TOLD)
        except OSError:
            told = b""
        if not told:
            self._dismiss(channel)
            return
        if _READY in told:
            self.was_ready = True
            self._n_open[channel] = 0
            if len(self._n_open) == 1:
                self._selector.register(self._listener, selectors.EVENT_READ)
        self._n_open[channel] -= told.count(_ENDED)

    def _dismiss(self, channel: socket.socket) -> None:
        self._selector.unregister(channel)
        channel.close()
        was_at_work = self._n_open.pop(channel, None) is not None
        if was_at_work and not self._n_open:
            self._selector.unregister(self._listener)


class Inbox:
    """A worker's end of its channel: takes each connection that is handed over.

    Args:
        channel: to the desk.
    """

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._n_untold = 0
        self._begun: set[asyncio.Task[None]] = set()

    def open(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Be ready: from now on, in the running loop, a protocol is made for each connection."""
        asyncio.get_running_loop().add_reader(self._channel, self._take, protocol)
        self._channel.send(_READY)

    def close(self) -> None:
        """Take nothing more."""
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()

    def tell_end(self) -> None:
        """Say that a connection has ended; what cannot be said at once is said with the next."""
        self._n_untold += 1
        with suppress(OSError):
            self._channel.send(_ENDED * self._n_untold)
            self._n_untold = 0

    def _take(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        _, handed, _, _ = socket.recv_fds(self._channel, len(_HANDED), 1)
        if not handed:  # the desk is gone
            loop.remove_reader(self._channel)
            return
        task = loop.create_task(self._begin(socket.socket(fileno=handed[0]), protocol))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def _begin(
        self, connection: socket.socket, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(protocol, connection)
        except OSError:  # whoever came is gone already
            connection.close()
            self.tell_end()
