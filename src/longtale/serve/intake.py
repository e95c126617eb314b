"""Events, items and users as they come in: each row becomes a record, or a reject that says why."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from longtale.arrays import DAY, microseconds
from longtale.data.record import Record, RecordKind
from longtale.errors import did_you_mean
from longtale.privacy.mask import mask_values
from longtale.recommend.answer import Json
from longtale.serve.documents import DEEPEST, DocumentError, cells, is_too_deep
from longtale.serve.messages import EventIn, Fault, Id, fault, pointer_to
from longtale.serve.world import Views, World

_ID: TypeAdapter[str] = TypeAdapter(Id)


@dataclass(frozen=True)
class Reject:
    """A row that was not taken.

    Args:
        line: its place in what was sent, the first is 1.
        fault: what is wrong with it.
    """

    line: int
    fault: Fault

    def as_dict(self) -> dict[str, Json]:
        """Give it as plain values."""
        return {
            "line": self.line,
            "pointer": self.fault.pointer,
            "code": self.fault.code,
            "detail": self.fault.detail,
            "hint": self.fault.hint,
        }


@dataclass
class Sorted:
    """Rows that were sent, each either a record or a reject."""

    records: list[Record] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def take(self, line: int, row: Record | Fault) -> None:
        """Put one row where it belongs."""
        if isinstance(row, Fault):
            self.rejects.append(Reject(line, row))
        else:
            self.records.append(row)


Reader = Callable[[object], Record | Fault]
"""Makes a record of one row, or says why not."""


def sort_rows(rows: Iterable[tuple[int, object]], read: Reader) -> Sorted:
    """Read rows one by one; none is lost, each is a record or a reject.

    Args:
        rows: each with its number.
        read: makes a record of a row.
    """
    found = Sorted()
    for line, row in rows:
        found.take(line, row if isinstance(row, Fault) else read(row))
    return found


@dataclass(frozen=True, eq=False)
class EventReader:
    """Reads events against what is known now.

    Args:
        world: whose items and kinds are known.
        views: items that came but are not placed yet.
        is_masking: take personal data out of contexts.
    """

    world: World
    views: Views
    is_masking: bool = True

    def __call__(self, row: object) -> Record | Fault:
        """Read one event."""
        try:
            event = EventIn.model_validate(row)
        except ValidationError as error:
            return fault(EventIn, error)
        now = time.time_ns() // 1000
        wrong = self._fault(event, now)
        if wrong is not None:
            return wrong
        body: dict[str, Any] = {
            "kind": event.kind,
            "item": event.item,
            "time": now if event.time is None else microseconds(event.time),
        }
        for name in ("value", "slate_id", "rank"):
            if (value := getattr(event, name)) is not None:
                body[name] = value
        if event.context:
            body["context"] = mask_values(event.context) if self.is_masking else event.context
        kind, subject = (
            (RecordKind.EVENT, event.user)
            if event.user is not None
            else (RecordKind.SESSION_EVENT, event.session)
        )
        own = uuid.uuid4().hex if event.event_id is None else event.event_id
        return Record(kind, subject or "", body, own, now)

    def _fault(self, event: EventIn, now: int) -> Fault | None:
        if (event.user is None) == (event.session is None):
            return Fault(
                "no_subject" if event.user is None else "two_subjects",
                "/user",
                "an event belongs to a user or to a session",
                "give one of 'user' and 'session'",
            )
        if event.kind not in self.world.kinds:
            allowed = list(self.world.kinds)
            hint = f"expected one of {', '.join(allowed)}{did_you_mean(event.kind, allowed)}"
            return Fault("unknown_kind", "/kind", f"unknown event kind '{event.kind}'", hint)
        if not is_item(self.world, self.views, event.item):
            return Fault(
                "unknown_item",
                "/item",
                f"unknown item '{event.item}'",
                "put the item first: PUT /v1/items/{id}",
            )
        if event.time is not None and microseconds(event.time) > now + DAY:
            return Fault(
                "future_time",
                "/time",
                f"the time {event.time.isoformat()} lies more than a day ahead",
                "give when it happened, with its zone",
            )
        return None


def is_item(world: World, views: Views, item: str) -> bool:
    """Say whether there is an item, placed already or not."""
    if item in views.items:
        return views.items[item] is not None
    return int(world.live.dataset.items.rows([item])[0]) >= 0


@dataclass(frozen=True, eq=False)
class DocumentReader:
    """Reads items or users, one document with an `id` per row.

    Args:
        kind: ITEM or USER.
        world: whose catalogue says which attributes have a type.
        is_masking: take personal data out of users' texts.
    """

    kind: RecordKind
    world: World
    is_masking: bool = True

    def __call__(self, row: object) -> Record | Fault:
        """Read one document."""
        if not isinstance(row, Mapping):
            return Fault("invalid_field", "", "a row must be an object", "send one object per line")
        body = {name: value for name, value in row.items() if name != "id"}
        if "id" not in row:
            return Fault("missing_field", "/id", "'id' is missing", "give it")
        return self.record(row["id"], body)

    def record(self, own_id: object, body: Mapping[str, Any]) -> Record | Fault:
        """Make the record of a document under its id."""
        try:
            subject = _ID.validate_python(own_id)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return Fault("invalid_field", "/id", f"'id' is {own_id!r:.80}", first["msg"])
        if is_too_deep(body):
            return Fault(
                "invalid_field", "", "the attributes are nested too deep", f"at most {DEEPEST} deep"
            )
        long = next((name for name in body if not 0 < len(name) <= 128), None)
        if long is not None:
            return Fault(
                "invalid_field", "", f"an attribute is called {long!r:.80}", "1 to 128 characters"
            )
        if self.kind is RecordKind.ITEM:
            try:
                cells(self.world.live.dataset.catalog, body)
            except DocumentError as error:
                hint = "see GET /v1/status for the types of the catalogue's columns"
                return Fault("invalid_field", pointer_to(error.name), str(error), hint)
        elif self.is_masking:
            body = mask_values(dict(body))
        now = time.time_ns() // 1000
        return Record(self.kind, subject, dict(body), uuid.uuid4().hex, now)


def counts(found: Sorted, is_new: Sequence[bool], seq: int) -> dict[str, Json]:
    """Give what became of rows: accepted + duplicates + rejected is what was sent.

    Args:
        found: the rows.
        is_new: of each record, whether the log did not have it yet.
        seq: up to which number the log must be known to know them all.
    """
    n_new = sum(is_new)
    return {
        "accepted": n_new,
        "duplicates": len(is_new) - n_new,
        "rejected": len(found.rejects),
        "errors": [reject.as_dict() for reject in found.rejects],
        "seq": seq,
    }
