"""The log of a service in two tables of SQL; where they lie is a `Database`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from longtale.data.record import ABOUT_USERS, Appended, KeptSlate, Record, RecordKind, Stored
from longtale.feedback.rows import (
    Row,
    are_new,
    kept_text,
    row_of,
    slate_of,
    slate_row,
    stored_of,
)

_ROW = "SELECT seq, id, kind, subject, body, at FROM longtale_records"
_SLATE = "SELECT id, for_user, at, body FROM longtale_slates"


class Answer(Protocol):
    """The rows of a statement."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """Give the next row; None where there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """Give all rows."""
        ...


class Connection(Protocol):
    """A connection to a database, with `?` for each value."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Answer:
        """Carry out one statement."""
        ...

    def executemany(self, statement: str, values: Sequence[Sequence[Any]], /) -> object:
        """Carry out one statement for each row of values."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Database(Protocol):
    """What SQLite and PostgreSQL do each in their own way; its errors are `StoreError`s."""

    @property
    def is_among(self) -> str:
        """Condition that a column is one of the texts that `among` gives."""
        ...

    def among(self, texts: Sequence[str]) -> object:
        """Give texts as one value."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Lend a connection that sees what was committed and waits for no writer."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """Lend a connection in a transaction, which is durable when this ends.

        One writes at a time, of all processes: a number is seen after all smaller ones.
        """
        ...

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Put rows that are new at the end of the log."""
        ...

    def last_seq(self, connection: Connection) -> int:
        """Give the number of the last record that was ever put there."""
        ...

    def compact(self) -> None:
        """Write the tables anew, without what was removed."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class SQLStore:
    """An `EventStore` in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, records: Sequence[Record]) -> Appended:
        rows = [row_of(record) for record in records]
        with self._database.writing() as connection:
            return self._append(connection, rows)

    def append_unless_newer(self, records: Sequence[Record], seen: int) -> Appended | None:
        rows = [row_of(record) for record in records]
        _, kind, subject, *_ = rows[0]
        with self._database.writing() as connection:
            newer = connection.execute(
                "SELECT 1 FROM longtale_records "
                "WHERE seq > ? AND (kind = ? OR kind = ? AND subject = ?) LIMIT 1",
                (seen, RecordKind.FORGOTTEN.value, kind, subject),
            )
            return None if newer.fetchone() else self._append(connection, rows)

    def read(self, after: int, limit: int, *, kinds: Sequence[RecordKind] = ()) -> list[Stored]:
        if not kinds:
            return self._stored(f"{_ROW} WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
        return self._stored(
            f"{_ROW} WHERE seq > ? AND kind {self._database.is_among} ORDER BY seq LIMIT ?",
            after,
            self._database.among(kinds),
            limit,
        )

    def recent(self, kind: RecordKind, subject: str, n: int) -> list[Stored]:
        latest = f"{_ROW} WHERE kind = ? AND subject = ? ORDER BY seq DESC LIMIT ?"
        return self._stored(latest, kind.value, kept_text(subject), n)[::-1]

    def find(self, ids: Sequence[str]) -> list[Stored]:
        return self._stored(
            f"{_ROW} WHERE id {self._database.is_among} ORDER BY seq", self._database.among(ids)
        )

    def last_seq(self) -> int:
        with self._database.reading() as connection:
            return self._database.last_seq(connection)

    def keep_slates(self, slates: Sequence[KeptSlate]) -> None:
        rows = [slate_row(slate) for slate in slates]
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT INTO longtale_slates (id, for_user, at, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) DO NOTHING",
                rows,
            )

    def slate(self, slate_id: str) -> KeptSlate | None:
        rows = self._all(f"{_SLATE} WHERE id = ?", kept_text(slate_id))
        return slate_of(rows[0]) if rows else None

    def slates_of(self, user: str, n: int) -> list[KeptSlate]:
        latest = f"{_SLATE} WHERE for_user = ? ORDER BY at DESC, n DESC LIMIT ?"
        return [slate_of(row) for row in self._all(latest, kept_text(user), n)]

    def forget(self, user: str) -> dict[str, int]:
        kept_text(user)
        with self._database.writing() as connection:
            records = connection.execute(
                f"DELETE FROM longtale_records WHERE kind {self._database.is_among} "
                "AND subject = ? RETURNING kind",
                (self._database.among(ABOUT_USERS), user),
            )
            gone = Counter(kind for (kind,) in records)
            slates = connection.execute(
                "DELETE FROM longtale_slates WHERE for_user = ? RETURNING id", (user,)
            )
            n_slates = len(slates.fetchall())
        return {**{kind.value: gone[kind] for kind in ABOUT_USERS}, "slate": n_slates}

    def compact(self) -> None:
        self._database.compact()

    def close(self) -> None:
        self._database.close()

    def _append(self, connection: Connection, rows: Sequence[Row]) -> Appended:
        ids = [row[0] for row in rows]
        known = connection.execute(
            f"SELECT id FROM longtale_records WHERE id {self._database.is_among}",
            (self._database.among(ids),),
        )
        is_new = are_new(ids, {id_ for (id_,) in known})
        self._database.insert(
            connection, [row for row, first in zip(rows, is_new, strict=True) if first]
        )
        return Appended(self._database.last_seq(connection), is_new)

    def _stored(self, statement: str, *values: object) -> list[Stored]:
        return [stored_of(row) for row in self._all(statement, *values)]

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._database.reading() as connection:
            return connection.execute(statement, values).fetchall()
