"""A SQLite whose disk fails: what the store sees of it is what SQLite would say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from longtale.feedback.sql_store import Answer, Connection
from longtale.feedback.sqlite_store import SQLiteStore, connected

_READING = ("SELECT", "PRAGMA", "BEGIN")


class FailingDisk:
    """A disk that can be told to fail.

    Args:
        file: of the store.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._error: sqlite3.OperationalError | None = None
        self._is_for_writes = False

    def store(self) -> SQLiteStore:
        """Give the store that lies on this disk."""
        return SQLiteStore(self._file, connect=lambda file: _Failing(self, connected(file)))

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Let nothing be read or written (EIO)."""
        self._error, self._is_for_writes = _error("disk I/O error", "SQLITE_IOERR"), False
        yield
        self._error = None

    @contextmanager
    def full(self) -> Iterator[None]:
        """Let nothing be written (ENOSPC)."""
        self._error = _error("database or disk is full", "SQLITE_FULL")
        self._is_for_writes = True
        yield
        self._error = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file as another process would that writes and does not end."""
        with closing(sqlite3.connect(self._file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def check(self, statement: str) -> None:
        """Fail as the disk does at the moment."""
        error = self._error
        if error is None or (self._is_for_writes and statement.startswith(_READING)):
            return
        raise error


class _Failing:
    def __init__(self, disk: FailingDisk, connection: Connection) -> None:
        self._disk = disk
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Answer:
        self._disk.check(statement)
        return self._connection.execute(statement, values)

    def executemany(self, statement: str, values: Sequence[Sequence[Any]], /) -> object:
        self._disk.check(statement)
        return self._connection.executemany(statement, values)

    def close(self) -> None:
        self._connection.close()


def _error(message: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorname = name
    return error
