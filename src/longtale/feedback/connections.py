"""Connections of a store, which threads borrow and give back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Generic, Protocol, TypeVar

from longtale.errors import StoreError

PATIENCE_S = 5.0
"""How long a store waits for a lock, a connection or an answer before it says that it cannot."""
MOST = 8  # connections of one process; a PostgreSQL server allows 100 to all who ask


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Let go of it."""
        ...


C = TypeVar("C", bound=Closable)


class Connections(Generic[C]):
    """Connections that are opened when they are needed, and dropped when something went wrong.

    Args:
        connect: opens one.
        is_alive: says of one that lay idle whether it can still be used.
    """

    def __init__(
        self, connect: Callable[[], C], *, is_alive: Callable[[C], bool] = lambda _: True
    ) -> None:
        self._connect = connect
        self._is_alive = is_alive
        self._idle: deque[C] = deque()
        self._places = BoundedSemaphore(MOST)
        self._turn = Lock()
        self._is_closed = False

    @contextmanager
    def borrowed(self) -> Iterator[C]:
        """Lend a connection to one thread; after an error nobody gets it again.

        Raises:
            StoreError: the store was closed, or all connections are in use for too long.
        """
        if not self._places.acquire(timeout=PATIENCE_S):
            raise StoreError(
                f"all {MOST} connections to the store have been in use for {PATIENCE_S:g} s; "
                "try again later"
            )
        try:
            connection = self._taken()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            if self._is_closed:
                self._close_idle()
        finally:
            self._places.release()

    @contextmanager
    def borrowed_to_write(self) -> Iterator[C]:
        """Lend a connection to the one thread of this process that writes; raises as `borrowed`.

        Databases make writers wait too, but each with a connection, and not in turn.
        """
        if not self._turn.acquire(timeout=PATIENCE_S):
            raise StoreError(
                f"another thread has been writing to the store for {PATIENCE_S:g} s; "
                "try again later"
            )
        try:
            with self.borrowed() as connection:
                yield connection
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close all, those in use when they come back."""
        self._is_closed = True
        self._close_idle()

    def _taken(self) -> C:
        if self._is_closed:
            raise StoreError("the store was closed; open it again")
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            if self._is_alive(connection):
                return connection
            connection.close()
        return self._connect()

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                break
