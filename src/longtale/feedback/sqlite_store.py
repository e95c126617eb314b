"""The log of a service in one file of SQLite, which several processes of a machine may share."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from longtale.errors import StoreError
from longtale.feedback.connections import PATIENCE_S, Connections
from longtale.feedback.rows import Row, listed
from longtale.feedback.sql_store import Connection, SQLStore

_VERSION = 1
_TABLES = (
    # AUTOINCREMENT: the number of a record that was forgotten is never given again.
    "CREATE TABLE longtale_records (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " kind TEXT NOT NULL, subject TEXT NOT NULL, body TEXT, at INTEGER NOT NULL) STRICT",
    "CREATE INDEX longtale_records_about ON longtale_records (kind, subject, seq)",
    "CREATE TABLE longtale_slates (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, for_user TEXT,"
    " at INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    "CREATE INDEX longtale_slates_for ON longtale_slates (for_user, at, n)",
    f"PRAGMA user_version={_VERSION}",
)
_PRAGMAS = (
    "PRAGMA synchronous=FULL",  # in WAL mode less than this may lose what was acknowledged
    "PRAGMA secure_delete=ON",
)
_ADVICE = {
    "SQLITE_BUSY": f"another process has held it for {PATIENCE_S:g} s; try again later",
    "SQLITE_LOCKED": f"another process has held it for {PATIENCE_S:g} s; try again later",
    "SQLITE_FULL": "make room on its disk",
    "SQLITE_READONLY": "make the file and its folder writable for this process",
    "SQLITE_CANTOPEN": "its folder must exist and be writable for this process",
    "SQLITE_NOTADB": "it is no SQLite file; name another one",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a backup",
}


def connected(file: Path) -> Connection:
    """Open a file with the SQLite of Python."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    return cast(Connection, connection)


class SQLiteStore(SQLStore):
    """An `EventStore` in one file.

    Readers go by the write-ahead log and wait for nobody. It must lie on a disk of this machine:
    SQLite shares memory between processes, which no network file system does.

    Args:
        file: made where it is not there; its folder must be.
        connect: opens it.
    """

    def __init__(self, file: Path, *, connect: Callable[[Path], Connection] = connected) -> None:
        super().__init__(_SQLiteDatabase(file, connect))


class _SQLiteDatabase:
    is_among = "IN (SELECT value FROM json_each(?))"

    def __init__(self, file: Path, connect: Callable[[Path], Connection]) -> None:
        self._file = file
        self._connect = connect
        self._connections = Connections(self._prepared)

    def among(self, texts: Sequence[str]) -> str:
        return listed(texts)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._told(), self._connections.borrowed() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._told(), self._connections.borrowed_to_write() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")  # after an error, closing it rolls back

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.executemany(
            "INSERT INTO longtale_records (id, kind, subject, body, at) VALUES (?, ?, ?, ?, ?)",
            rows,
        )

    def last_seq(self, connection: Connection) -> int:
        row = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'longtale_records'"
        ).fetchone()
        return 0 if row is None else row[0]

    def compact(self) -> None:
        with self._told(), self._connections.borrowed_to_write() as connection:
            connection.execute("VACUUM")
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise StoreError(
                    f"'{self._file}' could not be cleaned: somebody has read it for "
                    f"{PATIENCE_S:g} s; try again later"
                )

    def close(self) -> None:
        self._connections.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
            advice = _ADVICE.get(name, "look at its disk, and whether this process may write there")
            raise StoreError(
                f"the store '{self._file}' cannot be used: {error}; {advice}"
            ) from None

    def _prepared(self) -> Connection:
        connection = self._connect(self._file)
        try:
            connection.execute(f"PRAGMA busy_timeout={PATIENCE_S * 1000:.0f}")
            self._log_ahead(connection)
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            self._make_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _log_ahead(self, connection: Connection) -> None:
        """Turn to WAL; where several make the file at once, SQLite may turn one away at once."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise StoreError(
                f"the store '{self._file}' cannot have a write-ahead log (its journal is "
                f"'{mode}'); put it on a disk of this machine"
            )

    def _make_tables(self, connection: Connection) -> None:
        if self._version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            if self._version(connection) == 0:  # nobody else was faster
                for statement in _TABLES:
                    connection.execute(statement)
            connection.execute("COMMIT")

    def _version(self, connection: Connection) -> int:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise StoreError(
                f"the store '{self._file}' has version {version}, and this Longtale knows "
                f"versions up to {_VERSION}; use the Longtale that wrote it, or a newer one"
            )
        return version
