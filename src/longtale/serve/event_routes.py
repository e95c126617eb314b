"""Endpoints that take in much: events, and lines of events, items or users."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

from longtale.data.record import Record, RecordKind
from longtale.errors import StoreError
from longtale.recommend.answer import Json
from longtale.serve import records
from longtale.serve.intake import DocumentReader, EventReader, Reader, Sorted, counts, sort_rows
from longtale.serve.keys import Scope
from longtale.serve.messages import Fault
from longtale.serve.problems import STORE_RETRY_S, Code, Problem
from longtale.serve.routing import Call, Endpoint, body_of
from longtale.serve.service import Service

MOST_EVENTS = 5000
"""Events of one request; more go through /v1/bulk/events."""
MOST_ERRORS = 10_000
"""Rejects of a bulk that are told one by one; the others are counted."""
_IN_THREAD = 50  # rows from which on it is worth a thread to read them
_CHUNK = 2000  # rows that are kept in one go
_LONGEST_LINE = 1024 * 1024
_KINDS = {"items": RecordKind.ITEM, "users": RecordKind.USER}

COUNTS: dict[str, Json] = {
    "accepted": 1,
    "duplicates": 0,
    "rejected": 0,
    "errors": [],
    "seq": 1043,
}
_EVENT: dict[str, Json] = {"event_id": "e-1", "kind": "rate", "user": "1", "item": "318"}

Lines = list[tuple[int, object]]
"""Rows with their numbers, the first is 1."""


async def post_events(call: Call) -> Mapping[str, Json]:
    """Take one event or up to 5,000; the answer comes when they are safe on disk."""
    body = await body_of(call.request)
    rows = body if isinstance(body, list) else [body]
    if len(rows) > MOST_EVENTS:
        raise Problem(
            Code.BAD_DATA,
            f"{len(rows)} events in one request; at most {MOST_EVENTS} are allowed",
            pointer="",
            hint="send them in parts, or as lines to /v1/bulk/events",
        )
    done = await _taken(call, "events", list(enumerate(rows, start=1)))
    if not isinstance(body, list) and done["rejected"]:
        wrong: Any = done["errors"]
        raise Problem(
            Code.BAD_DATA,
            str(wrong[0]["detail"]),
            pointer=str(wrong[0]["pointer"]),
            hint=str(wrong[0]["hint"]),
        )
    return done


async def bulk(call: Call) -> Mapping[str, Json]:
    """Take lines of JSON (NDJSON), one event, item or user each, as many as there are.

    Of items and users that are as they were, nothing is kept again: they count as duplicates.
    """
    what = call.path("what")
    _reader(call, what)
    total: dict[str, Any] = dict(COUNTS, accepted=0, errors=[], seq=0, errors_left_out=0)
    waiting: Lines = []
    last_kept = 0
    try:
        async for line in _lines(call):
            waiting.append(line)
            if len(waiting) == _CHUNK:
                _add(total, await _taken(call, what, waiting))
                last_kept, waiting = line[0], []
        _add(total, await _taken(call, what, waiting))
    except (StoreError, Problem) as error:
        if not last_kept:
            raise
        raise _cut_off(error, last_kept) from None
    return total


async def _taken(call: Call, what: str, rows: Lines) -> dict[str, Json]:
    """Read some rows, keep those that are good, and count."""
    read = _reader(call, what)
    found = (
        await call.work(sort_rows, rows, read) if len(rows) > _IN_THREAD else sort_rows(rows, read)
    )
    if what in _KINDS and found.records:
        return await _put(call, found)
    if what == "events" and found.rejects:
        call.service.telemetry.events_taken(kind="other", rejected=len(found.rejects))
    if not found.records:
        return counts(found, (), call.service.engine.world.seq)
    done = await call.service.append_soon(found.records)
    _count(call.service, found.records, done.is_new)
    return counts(found, done.is_new, done.seq)


def _count(service: Service, taken: Sequence[Record], is_new: Sequence[bool]) -> None:
    """Let events be counted by their kind and by whether the log had them."""
    told = Counter(
        (str((record.body or {}).get("kind")), new)
        for record, new in zip(taken, is_new, strict=True)
    )
    for (kind, new), n in told.items():
        outcome = {"accepted" if new else "duplicate": n}
        service.telemetry.events_taken(kind=kind, **outcome)


async def _put(call: Call, found: Sorted) -> dict[str, Json]:
    """Keep those documents that are not as they were, and who sent them."""
    service = call.service
    changed: Sequence[Record] = await call.work(records.changed, service, found.records)
    ids = {record.id for record in changed}
    is_new = [record.id in ids for record in found.records]
    if not changed:
        return counts(found, is_new, service.engine.world.seq)
    done = await service.append_soon([*changed, call.doer.record(rows=len(changed))])
    return counts(found, is_new, done.seq)


def _reader(call: Call, what: str) -> Reader:
    engine, is_masking = call.service.engine, call.service.serve.mask_personal_data
    if what == "events":
        return EventReader(engine.world, engine.views, is_masking)
    if what in _KINDS:
        return DocumentReader(_KINDS[what], engine.world, is_masking)
    raise Problem(
        Code.NOT_FOUND, f"there is no /v1/bulk/{what}", hint="allowed are items, users, events"
    )


def _add(total: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name in ("accepted", "duplicates", "rejected"):
        total[name] += part[name]
    total["errors"].extend(part["errors"][: MOST_ERRORS - len(total["errors"])])
    total["errors_left_out"] = total["rejected"] - len(total["errors"])
    total["seq"] = max(total["seq"], part["seq"])


def _cut_off(error: StoreError | Problem, last_kept: int) -> Problem:
    """Say what of a stream was kept before it had to end."""
    kept = f"what was good in the lines up to {last_kept} is kept; send the others again"
    if isinstance(error, Problem):
        return Problem(
            error.code,
            f"{error.detail}; {kept}",
            pointer=error.pointer,
            hint=error.hint,
            headers=error.headers,
        )
    return Problem(
        Code.STORE_UNAVAILABLE,
        f"the store of events cannot be reached or written; {kept}",
        headers={"Retry-After": str(STORE_RETRY_S)},
    )


async def _lines(call: Call) -> AsyncIterator[tuple[int, object]]:
    """Give the rows of a streamed body with the numbers of their lines; blank ones are left out.

    What is no JSON comes as a fault.
    """
    rest, number = b"", 0
    async for chunk in call.request.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield number, _row(line)
        if len(rest) > _LONGEST_LINE:
            raise Problem(
                Code.BODY_TOO_LARGE,
                f"line {number + 1} is longer than {_LONGEST_LINE} bytes",
                hint="one JSON document per line, lines end in \\n",
            )
    if rest.strip():
        yield number + 1, _row(rest)


def _row(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Fault("invalid_json", "", f"the line is not JSON: {error}", "one document per line")


ENDPOINTS = (
    Endpoint("POST", "/v1/events", Scope.WRITE, post_events, None, COUNTS, _EVENT),
    Endpoint("POST", "/v1/bulk/{what}", Scope.WRITE, bulk, None, COUNTS, _EVENT),
)
