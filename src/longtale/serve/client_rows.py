"""Sending many rows: in parts, each of which can be sent again."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from longtale.errors import ServiceError
from longtale.serve.client_answers import Counts, counts_of
from longtale.serve.client_request import Call, Plan, json_of, path_of

MOST_ROWS = 5000
"""Rows of one request."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of one request, half of what the service takes."""

Row = Mapping[str, Any]


def send_events(events: Row | Iterable[Row]) -> Plan[Counts]:
    """Send what people did; it is safe on disk when this returns.

    Each event without an `event_id` is given one, so that it counts once although it may be sent
    again on the way. Whoever calls this again after an error gives ids of their own. Look at
    `rejected`: a row that cannot be used raises nothing.
    """
    rows = [events] if isinstance(events, Mapping) else events
    return (yield from _in_parts("/v1/events", _with_ids(rows), as_list=True))


def bulk(what: Literal["items", "users", "events"], rows: Iterable[Row]) -> Plan[Counts]:
    """Send rows as lines of JSON, as many as there are.

    They go in parts, each of which can be sent again; `rows` is read as it is sent. Items and users
    have their `id` among their attributes; events are as in `send_events`.
    """
    named = _with_ids(rows) if what == "events" else rows
    return (yield from _in_parts(path_of("bulk", what), named, as_list=False))


def _with_ids(events: Iterable[Row]) -> Iterator[Row]:
    for event in events:
        yield event if event.get("event_id") else {**event, "event_id": uuid.uuid4().hex}


def _in_parts(path: str, rows: Iterable[Row], *, as_list: bool) -> Plan[Counts]:
    total = Counts()
    for part in _parts(rows):
        body = b"[" + b",".join(part) + b"]" if as_list else b"\n".join(part)
        media_type = "application/json" if as_list else "application/x-ndjson"
        try:
            done = yield Call("POST", path, body=body, media_type=media_type)
        except ServiceError as error:
            error.add_note(
                f"rows up to {total.sent} were taken before, of the next {len(part)} nothing is "
                "known"
            )
            raise
        total = total.then(counts_of(done))
    return total


def _parts(rows: Iterable[Row]) -> Iterator[list[bytes]]:
    """Give rows as JSON, as many together as one request may have."""
    part: list[bytes] = []
    n_bytes = 0
    for row in rows:
        line = json_of(row)
        if part and (len(part) == MOST_ROWS or n_bytes + len(line) > MOST_BYTES):
            yield part
            part, n_bytes = [], 0
        part.append(line)
        n_bytes += len(line)
    if part:
        yield part
