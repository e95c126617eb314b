"""What people without an account touched and turned down, by the session of their visit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from longtale.data.arrivals import interest_of
from longtale.data.event import EventKind
from longtale.data.record import Body, Record, RecordKind
from longtale.feedback.sessions import LIFETIME_S, MOST_ITEMS, MemorySessions, Sessions

_TURNED_DOWN = "\x00"  # before an item's id, in which no control character can stand


@dataclass(frozen=True)
class Visit:
    """Ids of the items of one visit, oldest first."""

    touched: tuple[str, ...] = ()
    turned_down: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Visits:
    """All visits of the last hour.

    Args:
        sessions: remembers the items of each.
        kinds: how much interest each kind of event shows, by name.
    """

    sessions: Sessions
    kinds: Mapping[str, EventKind]

    @property
    def are_shared(self) -> bool:
        """Whether other processes see what is noted here; else each must note all of the log."""
        return not isinstance(self.sessions, MemorySessions)

    @property
    def is_degraded(self) -> bool:
        """Whether each process remembers for itself where they should share."""
        return self.sessions.is_degraded

    def note(self, records: Iterable[Record]) -> None:
        """Remember what was done in sessions; what is older than they live is passed over."""
        since = time.time_ns() // 1000 - int(LIFETIME_S * 1_000_000)
        found: dict[str, list[str]] = {}
        for record in records:
            body = record.body
            if record.kind is not RecordKind.SESSION_EVENT or body is None or record.at < since:
                continue
            if (kind := self.kinds.get(body["kind"])) is not None:
                mark = "" if _shows_interest(kind, body) else _TURNED_DOWN
                found.setdefault(record.subject, []).append(mark + body["item"])
        for session, items in found.items():
            self.sessions.add(session, items)

    def of(self, session: str | None) -> Visit:
        """Give what is known of one visit; nothing where there is none."""
        if session is None:
            return Visit()
        items = self.sessions.recent(session, MOST_ITEMS)
        turned_down = [item[1:] for item in items if item.startswith(_TURNED_DOWN)]
        touched = [item for item in items if not item.startswith(_TURNED_DOWN)]
        return Visit(tuple(touched), tuple(turned_down))


def _shows_interest(kind: EventKind, body: Body) -> bool:
    value = body.get("value")
    values = np.array([np.nan if value is None else value], dtype=np.float32)
    return bool(interest_of([kind], np.zeros(1, dtype=np.int16), values)[0] > 0)
