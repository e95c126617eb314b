"""The log of a service in a PostgreSQL server, which processes of several machines may share."""

from __future__ import annotations

import math
import re
import select
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import conninfo

from longtale import log
from longtale.errors import SettingsError, StoreError
from longtale.feedback.connections import PATIENCE_S, Connections
from longtale.feedback.rows import Row, kept_text
from longtale.feedback.sql_store import Connection, SQLStore

LONGEST_S = 2 * PATIENCE_S
"""How long an answer is waited for; the server's own patience ends first, unless it hangs."""
_PATIENCE_MS = int(1000 * PATIENCE_S)
_DEFAULTS: dict[str, Any] = {
    "application_name": "longtale",
    "client_encoding": "utf8",
    "connect_timeout": 3,
    "tcp_user_timeout": _PATIENCE_MS,
}
_OPTIONS = f"-c synchronous_commit=on -c statement_timeout={_PATIENCE_MS}"
_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (psycopg.errors.QueryCanceled, f"it took longer than {PATIENCE_S:g} s; try again later"),
    (psycopg.errors.LockNotAvailable, "somebody uses its tables; try again later"),
    (psycopg.errors.InsufficientPrivilege, "let this user make and write tables there"),
    (psycopg.errors.ReadOnlySqlTransaction, "name the server that takes writes"),
    (psycopg.errors.DiskFull, "make room on the server's disk"),
    (psycopg.OperationalError, "see that it runs, and that address, user and password are right"),
    (Exception, "look at the server's log"),
)
_LOCKS = 0x4C54  # "LT": keeps our advisory locks apart from those of others
_MAKING, _WRITING = 1, 2
_VERSION = 1
_TABLES = (
    'CREATE TABLE longtale_records (seq BIGINT PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE,'
    ' kind TEXT NOT NULL, subject TEXT COLLATE "C" NOT NULL, body TEXT, at BIGINT NOT NULL)',
    "CREATE INDEX longtale_records_about ON longtale_records (kind, subject, seq)",
    "CREATE TABLE longtale_slates (n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    ' id TEXT COLLATE "C" NOT NULL UNIQUE, for_user TEXT COLLATE "C", at BIGINT NOT NULL,'
    " body TEXT NOT NULL)",
    "CREATE INDEX longtale_slates_for ON longtale_slates (for_user, at, n)",
    # ANALYZE would copy frequent values, such as users' ids, to where VACUUM FULL does not clean.
    "ALTER TABLE longtale_records ALTER id SET STATISTICS 0, ALTER subject SET STATISTICS 0,"
    " ALTER body SET STATISTICS 0",
    "ALTER TABLE longtale_slates ALTER id SET STATISTICS 0, ALTER for_user SET STATISTICS 0,"
    " ALTER body SET STATISTICS 0",
    # The last number ever given; a sequence would be seen to move before its records are there.
    "CREATE TABLE longtale_clock (version INT NOT NULL, last BIGINT NOT NULL)",
    f"INSERT INTO longtale_clock VALUES ({_VERSION}, 0)",
)


class PostgresStore(SQLStore):
    """An `EventStore` in a database of PostgreSQL, of which it needs three tables.

    Connections that died are replaced, and no answer is waited for longer than some seconds.

    Args:
        url: such as `postgresql://user:password@host/database`, as libpq reads it.

    Raises:
        SettingsError: it is no such URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(_PostgresDatabase(url))


class _Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection that takes `?` for values, and waits for no answer for ever."""

    patience_s: float | None = None
    """How long, where it is not LONGEST_S."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
        return super().execute(query.replace("?", "%s").encode(), params, **how)

    def executemany(self, statement: str, values: Sequence[Sequence[Any]]) -> None:
        with self.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s").encode(), values)

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **how: Any) -> Any:
        patience_s = LONGEST_S if self.patience_s is None else self.patience_s
        return super().wait(_within(patience_s, gen), *args, **how)


def _within(seconds: float, talk: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Talk to the server as psycopg does, but for so long only."""
    deadline = time.monotonic() + seconds
    try:
        wanted = next(talk)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise psycopg.OperationalError(f"no answer within {seconds:g} s")
            wanted = talk.send(ready)
    except StopIteration as done:
        return done.value


class _PostgresDatabase:
    is_among = "= ANY(?)"

    def __init__(self, url: str) -> None:
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise SettingsError(
                "the URL of the store cannot be read; one looks like "
                "postgresql://user:password@host:5432/database, where signs such as / or @ in the "
                "password are written %2F and %40"
            ) from None
        self._name = f"{given.get('host', 'localhost')}/{given.get('dbname', '')}"
        given["options"] = f"{given.get('options', '')} {_OPTIONS}"
        self._address = conninfo.make_conninfo(**{**_DEFAULTS, **given})
        self._connections = Connections(self._prepared, is_alive=_is_alive)

    def among(self, texts: Sequence[str]) -> list[str]:
        return [kept_text(text) for text in texts]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._told(), self._connections.borrowed() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._told(), self._connections.borrowed_to_write() as session, session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(?, ?)", (_LOCKS, _WRITING))
            yield session

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        (last,) = connection.execute(
            "UPDATE longtale_clock SET last = last + ? RETURNING last", (len(rows),)
        ).fetchone()
        connection.execute(
            "INSERT INTO longtale_records (seq, id, kind, subject, body, at) "
            "SELECT ?::bigint + n, id, kind, subject, body, at FROM "
            "unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[]) "
            "WITH ORDINALITY AS given (id, kind, subject, body, at, n)",
            (last - len(rows), *(list(column) for column in zip(*rows, strict=True))),
        )

    def last_seq(self, connection: Connection) -> int:
        (last,) = connection.execute("SELECT last FROM longtale_clock").fetchone()
        return last

    def compact(self) -> None:
        with self._told(), self._connections.borrowed_to_write() as session:
            session.patience_s = math.inf
            session.execute("SET statement_timeout = 0")
            session.execute(f"SET lock_timeout = {_PATIENCE_MS}")
            for table in ("longtale_records", "longtale_slates"):
                _write_anew(session, table)
            self._clean_write_ahead_log(session)
            session.execute("RESET lock_timeout")
            session.execute("RESET statement_timeout")
            session.patience_s = None

    def close(self) -> None:
        self._connections.close()

    def _clean_write_ahead_log(self, session: _Session) -> None:
        """Begin a new file of the server's log and let go of the old ones, where we may."""
        try:
            session.execute("SELECT pg_switch_wal()")
            session.execute("CHECKPOINT")
        except psycopg.errors.InsufficientPrivilege as error:
            log.warn(
                "the write-ahead log was left to the server", reason=error.diag.message_primary
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, OSError) as error:
            advice = next(text for kinds, text in _ADVICE if isinstance(error, kinds))
            reason = str(error).strip().partition("\n")[0]
            raise StoreError(
                f"the store in PostgreSQL at {self._name} cannot be used: {reason}; {advice}"
            ) from None

    def _prepared(self) -> _Session:
        session = _Session.connect(self._address, autocommit=True)
        try:
            session.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            encoding = session.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise StoreError(
                    f"the database {self._name} keeps text as {encoding}; make one by "
                    "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
                )
            self._make_tables(session)
        except BaseException:
            session.close()
            raise
        return session

    def _make_tables(self, session: _Session) -> None:
        if not _has_tables(session):
            with session.transaction():
                session.execute("SELECT pg_advisory_xact_lock(?, ?)", (_LOCKS, _MAKING))
                if not _has_tables(session):  # nobody else was faster
                    for statement in _TABLES:
                        session.execute(statement)
        (version,) = session.execute("SELECT version FROM longtale_clock").fetchone()
        if version > _VERSION:
            raise StoreError(
                f"the store at {self._name} has version {version}, and this Longtale knows "
                f"versions up to {_VERSION}; use the Longtale that wrote it, or a newer one"
            )


def _has_tables(session: _Session) -> bool:
    # Not to_regclass, which may answer from what it looked up before it waited for a lock.
    (is_there,) = session.execute(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'longtale_clock'"
        " AND pg_table_is_visible(oid))"
    ).fetchone()
    return is_there


def _write_anew(session: _Session, table: str) -> None:
    """Write a table without what was removed; the server only remarks on it when it cannot."""
    remarks: list[tuple[str | None, str | None, str | None]] = []

    def hear(remark: psycopg.errors.Diagnostic) -> None:
        remarks.append(
            (remark.severity_nonlocalized, remark.message_primary, remark.message_detail)
        )

    session.add_notice_handler(hear)
    session.execute(f"VACUUM (FULL, VERBOSE) {table}")
    session.remove_notice_handler(hear)
    for severity, remark, detail in remarks:
        if severity == "WARNING":
            raise StoreError(
                f"{table} was not cleaned: {remark}; let the owner of the tables do it"
            )
        n_left = re.search(r"\d+", detail or "0")  # "7 dead row versions cannot be removed yet"
        if n_left is not None and int(n_left[0]):
            raise StoreError(
                f"{n_left[0]} removed rows are still in {table}, since a transaction that began "
                "earlier may see them; end it, or try again later"
            )


def _is_alive(session: _Session) -> bool:
    """Say whether the server has kept quiet: what it says unasked is that it goes."""
    if session.closed:
        return False
    poll = select.poll()
    poll.register(session.fileno(), select.POLLIN)
    return not poll.poll(0)
