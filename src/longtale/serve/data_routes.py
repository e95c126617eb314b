"""Endpoints that take in events, items, users and tastes, and those that give and forget them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from longtale.data.record import RecordKind
from longtale.recommend.answer import Json
from longtale.serve import records
from longtale.serve.intake import DocumentReader, EventReader, Reader, Sorted, counts, sort_rows
from longtale.serve.keys import Scope
from longtale.serve.messages import Fault, Page
from longtale.serve.problems import Code, Problem
from longtale.serve.routing import Call, Endpoint, body_of
from longtale.serve.taste import Taste

MOST_EVENTS = 5000
"""Events of one request; more go through /v1/bulk/events."""
_CHUNK = 2000  # rows that are kept in one go
_LONGEST_LINE = 1024 * 1024

COUNTS: dict[str, Json] = {
    "accepted": 1,
    "duplicates": 0,
    "rejected": 0,
    "errors": [],
    "seq": 1043,
}
_EVENT: dict[str, Json] = {"event_id": "e-1", "kind": "rate", "user": "1", "item": "318"}


_TASTE: dict[str, Json] = {"more": ["quiet science fiction"], "less": ["war"], "muted": []}


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
    read = _reader(call, "events")
    found = await call.work(sort_rows, rows, read) if len(rows) > 50 else sort_rows(rows, read)
    done = await _kept(call, found)
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
    """Take lines of JSON (NDJSON), one event, item or user each, as many as there are."""
    read = _reader(call, call.path("what"))
    total: dict[str, Any] = dict(COUNTS, accepted=0, errors=[], seq=0)
    waiting: list[object] = []
    n_read = 0
    async for row in _lines(call):
        waiting.append(row)
        if len(waiting) == _CHUNK:
            _add(total, await _kept(call, await call.work(sort_rows, waiting, read, n_read + 1)))
            n_read, waiting = n_read + len(waiting), []
            read = _reader(call, call.path("what"))
    _add(total, await _kept(call, await call.work(sort_rows, waiting, read, n_read + 1)))
    return total


async def put_document(call: Call) -> Mapping[str, Json]:
    """Put an item or a user as it is from now on; what was there before is replaced."""
    body = await body_of(call.request)
    return await _put(call, body)


async def patch_document(call: Call) -> Mapping[str, Json]:
    """Change some attributes; null takes one away (RFC 7396 merge patch, one level)."""
    changes = await body_of(call.request)
    before = records.one(call.service, _kind(call), call.path("id"))
    merged = {**before, **(changes if isinstance(changes, dict) else {"": changes})}
    return await _put(call, {name: value for name, value in merged.items() if value is not None})


async def get_document(call: Call) -> Mapping[str, Json]:
    """Give an item or a user."""
    return {"id": call.path("id"), **records.one(call.service, _kind(call), call.path("id"))}


async def delete_document(call: Call) -> Mapping[str, Json]:
    """Take an item out of every list, or drop a user's attributes (see also forget)."""
    kind = _kind(call)
    records.one(call.service, kind, call.path("id"))
    seq = await call.work(records.put, call.service, kind, call.path("id"), None)
    return {"id": call.path("id"), "seq": seq}


async def list_documents(call: Call) -> Mapping[str, Json]:
    """Give items or users page by page, where a filter is given only those that meet it."""
    asked: Page = call.values
    return await call.work(records.page, call.service, _kind(call), asked)


async def get_taste(call: Call) -> Mapping[str, Json]:
    """Give what a user asked for more or less of, and what they muted."""
    return _plain(records.taste(call.service, call.path("id")))


async def put_taste(call: Call) -> Mapping[str, Json]:
    """Set what a user asks for more or less of; the next answer goes by it."""
    taste: Taste = call.values
    user = call.path("id")
    seq = await call.work(records.put, call.service, RecordKind.TASTE, user, _plain(taste))
    return {**_plain(taste), "seq": seq}


async def export(call: Call) -> Mapping[str, Json]:
    """Give everything that is kept about a user."""
    return await call.work(records.export, call.service, call.path("id"))


async def forget(call: Call) -> Mapping[str, Json]:
    """Forget a user everywhere; the receipt says what was removed where, and that it is gone."""
    return await call.work(records.forget, call.service, call.path("id"))


def _plain(taste: Taste) -> dict[str, Json]:
    return taste.model_dump(mode="json")


def _kind(call: Call) -> RecordKind:
    return RecordKind.ITEM if call.request.url.path.startswith("/v1/items") else RecordKind.USER


def _reader(call: Call, what: str) -> Reader:
    engine, is_masking = call.service.engine, call.service.serve.mask_personal_data
    match what:
        case "events":
            return EventReader(engine.world, engine.views, is_masking)
        case "items" | "users":
            kind = RecordKind.ITEM if what == "items" else RecordKind.USER
            return DocumentReader(kind, engine.world, is_masking)
    raise Problem(
        Code.NOT_FOUND, f"there is no /v1/bulk/{what}", hint="allowed are items, users, events"
    )


async def _put(call: Call, body: object) -> dict[str, Json]:
    if not isinstance(body, Mapping):
        raise Problem(Code.BAD_DATA, "the body must be an object of attributes", pointer="")
    kind = _kind(call)
    service = call.service
    read = DocumentReader(kind, service.engine.world, service.serve.mask_personal_data)
    row = read.record(call.path("id"), {n: v for n, v in body.items() if n != "id"})
    if isinstance(row, Fault):
        raise Problem(Code.BAD_DATA, row.detail, pointer=row.pointer, hint=row.hint)
    seq = await call.work(records.put, service, kind, row.subject, row.body)
    kept: dict[str, Json] = dict(row.body or {})
    return {"id": row.subject, **records.told(service, kind, kept), "seq": seq, "body": kept}


async def _kept(call: Call, found: Sorted) -> dict[str, Json]:
    if not found.records:
        return counts(found, (), call.service.engine.world.seq)
    done = await call.service.append_soon(found.records)
    return counts(found, done.is_new, done.seq)


def _add(total: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name in ("accepted", "duplicates", "rejected"):
        total[name] += part[name]
    total["errors"].extend(part["errors"])
    total["seq"] = max(total["seq"], part["seq"])


async def _lines(call: Call) -> AsyncIterator[object]:
    """Give the rows of a streamed body, blank lines left out; what is no JSON comes as a fault."""
    rest = b""
    async for chunk in call.request.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise Problem(
                Code.BODY_TOO_LARGE,
                f"a line is longer than {_LONGEST_LINE} bytes",
                hint="one JSON document per line, lines end in \\n",
            )
        for line in lines:
            if line.strip():
                yield _row(line)
    if rest.strip():
        yield _row(rest)


def _row(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Fault("invalid_json", "", f"the line is not JSON: {error}", "one document per line")


def _documents(noun: str, body: Mapping[str, Json]) -> tuple[Endpoint, ...]:
    one, some = f"/v1/{noun}/{{id}}", f"/v1/{noun}"
    found: dict[str, Json] = {"id": "i-1", **body}
    kept: dict[str, Json] = {"id": "i-1", "seq": 1044, "body": dict(body)}
    return (
        Endpoint("PUT", one, Scope.WRITE, put_document, None, kept, body),
        Endpoint("PATCH", one, Scope.WRITE, patch_document, None, kept, body),
        Endpoint("GET", one, Scope.READ, get_document, None, found),
        Endpoint("DELETE", one, Scope.WRITE, delete_document, None, {"id": "i-1", "seq": 1045}),
        Endpoint("GET", some, Scope.READ, list_documents, Page, {noun: [found], "next": ""}),
    )


ENDPOINTS = (
    Endpoint("POST", "/v1/events", Scope.WRITE, post_events, None, COUNTS, _EVENT),
    Endpoint("POST", "/v1/bulk/{what}", Scope.WRITE, bulk, None, COUNTS, _EVENT),
    *_documents("items", {"title": "Rain on a tin roof", "genres": ["Drama"]}),
    *_documents("users", {"about": "slow-burn science fiction"}),
    Endpoint("GET", "/v1/users/{id}/taste", Scope.READ, get_taste, None, _TASTE),
    Endpoint("PUT", "/v1/users/{id}/taste", Scope.WRITE, put_taste, Taste, _TASTE, _TASTE),
    Endpoint("GET", "/v1/users/{id}/export", Scope.ADMIN, export, None, {"user": "1"}),
    Endpoint("POST", "/v1/users/{id}/forget", Scope.ADMIN, forget, None, {"verified": True}, {}),
)
