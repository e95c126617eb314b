"""The log of a service in memory: for trials, and as the plain form of what the others do."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from threading import Lock

from longtale.data.record import ABOUT_USERS, Appended, KeptSlate, Record, RecordKind, Stored
from longtale.errors import StoreError
from longtale.feedback.rows import (
    LogRow,
    Row,
    SlateRow,
    are_new,
    kept_text,
    row_of,
    slate_of,
    slate_row,
    stored_of,
)


class MemoryStore:
    """An `EventStore` that ends with its process.

    It keeps rows, as the others do, so that nobody can change what was handed in.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._log: list[LogRow] = []
        self._ids: set[str] = set()
        self._about: defaultdict[tuple[str, str], list[LogRow]] = defaultdict(list)
        self._slates: dict[str, SlateRow] = {}
        self._is_closed = False

    def append(self, records: Sequence[Record]) -> Appended:
        rows = [row_of(record) for record in records]
        with self._opened():
            return self._append(rows)

    def append_unless_newer(self, records: Sequence[Record], seen: int) -> Appended | None:
        rows = [row_of(record) for record in records]
        about = rows[0][1:3]
        with self._opened():
            start = bisect_right(self._log, seen, key=lambda row: row[0])
            newer = (row[2:4] for row in self._log[start:])
            if any(each == about or each[0] == RecordKind.FORGOTTEN for each in newer):
                return None
            return self._append(rows)

    def read(self, after: int, limit: int, *, kinds: Sequence[RecordKind] = ()) -> list[Stored]:
        with self._opened():
            start = bisect_right(self._log, after, key=lambda row: row[0])
            behind = islice(self._log, start, None)
            rows = list(islice((row for row in behind if not kinds or row[2] in kinds), limit))
        return [stored_of(row) for row in rows]

    def recent(self, kind: RecordKind, subject: str, n: int) -> list[Stored]:
        about = (kind, kept_text(subject))
        with self._opened():
            rows = list(reversed(self._about.get(about, ())))[:n]
        return [stored_of(row) for row in reversed(rows)]

    def find(self, ids: Sequence[str]) -> list[Stored]:
        wanted = {kept_text(id_) for id_ in ids}
        with self._opened():
            rows = [row for row in self._log if row[1] in wanted] if wanted & self._ids else []
        return [stored_of(row) for row in rows]

    def last_seq(self) -> int:
        with self._opened():
            return self._last

    def keep_slates(self, slates: Sequence[KeptSlate]) -> None:
        rows = [slate_row(slate) for slate in slates]
        with self._opened():
            for row in rows:
                self._slates.setdefault(row[0], row)

    def slate(self, slate_id: str) -> KeptSlate | None:
        kept_text(slate_id)
        with self._opened():
            row = self._slates.get(slate_id)
        return None if row is None else slate_of(row)

    def slates_of(self, user: str, n: int) -> list[KeptSlate]:
        kept_text(user)
        with self._opened():
            rows = [row for row in reversed(self._slates.values()) if row[1] == user]
        rows.sort(key=lambda row: row[2], reverse=True)
        return [slate_of(row) for row in rows[:n]]

    def forget(self, user: str) -> dict[str, int]:
        kept_text(user)
        with self._opened():
            gone = {kind: self._about.pop((kind, user), []) for kind in ABOUT_USERS}
            ids = {row[1] for rows in gone.values() for row in rows}
            self._ids -= ids
            self._log = [row for row in self._log if row[1] not in ids]
            slates = [id_ for id_, row in self._slates.items() if row[1] == user]
            for id_ in slates:
                del self._slates[id_]
        return {**{kind.value: len(rows) for kind, rows in gone.items()}, "slate": len(slates)}

    def compact(self) -> None:
        with self._opened():
            pass

    def close(self) -> None:
        self._is_closed = True

    def _append(self, rows: Sequence[Row]) -> Appended:
        is_new = are_new([row[0] for row in rows], self._ids)
        for row, is_first in zip(rows, is_new, strict=True):
            if is_first:
                self._add(row)
        return Appended(self._last, is_new)

    def _add(self, row: Row) -> None:
        id_, kind, subject, body, at = row
        self._last += 1
        numbered = (self._last, id_, kind, subject, body, at)
        self._log.append(numbered)
        self._ids.add(id_)
        self._about[kind, subject].append(numbered)

    def _opened(self) -> Lock:
        if self._is_closed:
            raise StoreError("the store was closed; open it again")
        return self._lock
