"""Records and slates as rows of a table: the one place where bodies become JSON and come back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

import orjson

from longtale.data.record import Body, KeptSlate, Record, RecordKind, Stored
from longtale.errors import DataError

Row = tuple[str, str, str, str | None, int]
"""id, kind, subject, body as JSON, at."""
LogRow = tuple[int, str, str, str, str | None, int]
"""A row behind its number."""
SlateRow = tuple[str, str | None, int, str]
"""id, user, at, body as JSON."""
_INT64 = range(-(2**63), 2**63)


def row_of(record: Record) -> Row:
    """Give a record as every store keeps it.

    Raises:
        DataError: its id or subject is no text that can be kept, or its body is not JSON.
    """
    id_, subject = kept_text(record.id), kept_text(record.subject)
    what = f"the record {id_!r}"
    body = None if record.body is None else _json(record.body, what)
    return id_, record.kind, subject, body, _time(record.at, what)


def stored_of(row: LogRow) -> Stored:
    """Give the record of a row."""
    seq, id_, kind, subject, body, at = row
    parsed = None if body is None else orjson.loads(body)
    return Stored(seq, Record(RecordKind(kind), subject, parsed, id_, at))


def slate_row(slate: KeptSlate) -> SlateRow:
    """Give a slate as every store keeps it; raises as `row_of` does."""
    id_ = kept_text(slate.id)
    what = f"the slate {id_!r}"
    user = None if slate.user is None else kept_text(slate.user)
    return id_, user, _time(slate.at, what), _json(slate.body, what)


def slate_of(row: SlateRow) -> KeptSlate:
    """Give the slate of a row."""
    id_, user, at, body = row
    return KeptSlate(id_, user, at, orjson.loads(body))


def are_new(ids: Sequence[str], known: Collection[str]) -> tuple[bool, ...]:
    """Say of each id whether it is neither known nor was there before.

    Example:
        >>> are_new(["a", "b", "b"], {"a"})
        (False, True, False)
    """
    seen = set(known)
    is_new = []
    for id_ in ids:
        is_new.append(id_ not in seen)
        seen.add(id_)
    return tuple(is_new)


def listed(texts: Iterable[str]) -> str:
    """Give some texts as a JSON array."""
    return orjson.dumps([kept_text(text) for text in texts]).decode()


def kept_text(text: str) -> str:
    """Give an id back that every store can keep.

    Raises:
        DataError: it has a zero character, or half of a surrogate pair.
    """
    if "\0" in text:
        raise DataError(f"the id {text!r} has a zero character, which no store keeps; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"the id {text!r} has half of a surrogate pair, which is no character; "
            "send text as UTF-8"
        ) from None
    return text


def _json(body: Body, what: str) -> str:
    try:
        text = orjson.dumps(dict(body)).decode()
        if "null" in text:  # this is also what orjson makes of NaN
            json.dumps(dict(body), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the body of {what} cannot be kept: {error}; JSON has finite numbers, whole ones "
            "of at most 64 bits, and text of whole characters"
        ) from None
    return text


def _time(at: int, what: str) -> int:
    if at not in _INT64:
        raise DataError(f"the time {at} of {what} is no microsecond UTC of 64 bits")
    return at
