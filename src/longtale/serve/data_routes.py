"""Endpoints of items, users and tastes: put, change, give, take away; export and forget."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from longtale.data.record import Body, RecordKind
from longtale.recommend.answer import Json
from longtale.serve import belongings, records
from longtale.serve.intake import DocumentReader
from longtale.serve.keys import Scope
from longtale.serve.messages import Fault, Page, checked_id
from longtale.serve.problems import Code, Problem
from longtale.serve.routing import Call, Endpoint, body_of
from longtale.serve.taste import Taste

_TASTE: dict[str, Json] = {"more": ["quiet science fiction"], "less": ["war"], "muted": []}


async def put_document(call: Call) -> Mapping[str, Json]:
    """Put an item or a user as it is from now on; what was there before is replaced."""
    return await call.work(_put, call, await _object(call))


async def patch_document(call: Call) -> Mapping[str, Json]:
    """Change some attributes; null takes one away (RFC 7396 merge patch)."""
    return await call.work(_patch, call, await _object(call))


async def get_document(call: Call) -> Mapping[str, Json]:
    """Give an item or a user."""
    return {"id": call.path("id"), **records.one(call.service, _kind(call), call.path("id"))}


async def delete_document(call: Call) -> Mapping[str, Json]:
    """Take an item out of every list, or drop a user's attributes (see also forget)."""
    kind, own_id = _kind(call), call.path("id")
    records.one(call.service, kind, own_id)
    seq = await call.work(records.put, call.service, kind, own_id, None, call.doer)
    return {"id": own_id, "seq": seq}


async def list_documents(call: Call) -> Mapping[str, Json]:
    """Give items or users page by page, where a filter is given only those that meet it."""
    asked: Page = call.values
    return await call.work(records.page, call.service, _kind(call), asked)


async def get_taste(call: Call) -> Mapping[str, Json]:
    """Give what a user asked for more or less of, and what they muted."""
    return _plain(records.taste(call.service, call.path("id")))


async def put_taste(call: Call) -> Mapping[str, Json]:
    """Set what a user asks for more or less of; the next answer goes by it."""
    wished = _plain(call.values)
    user = checked_id(call.path("id"))
    kind = RecordKind.TASTE
    seq = await call.work(records.put, call.service, kind, user, wished, call.doer)
    return {**wished, "seq": seq}


async def export(call: Call) -> Mapping[str, Json]:
    """Give everything that is kept about a user."""
    return await call.work(belongings.export, call.service, call.path("id"))


async def forget(call: Call) -> Mapping[str, Json]:
    """Forget a user everywhere; the receipt says what was removed where, and that it is gone."""
    return await call.work(belongings.forget, call.service, call.path("id"), call.doer)


def _plain(taste: Taste) -> dict[str, Json]:
    return taste.model_dump(mode="json")


def _kind(call: Call) -> RecordKind:
    return RecordKind.ITEM if call.request.url.path.startswith("/v1/items") else RecordKind.USER


async def _object(call: Call) -> Mapping[str, Any]:
    body = await body_of(call.request)
    if not isinstance(body, Mapping):
        raise Problem(Code.BAD_DATA, "the body must be an object of attributes", pointer="")
    return body


def _put(call: Call, body: Mapping[str, Any]) -> dict[str, Json]:
    kept = _read(call, body)
    return _told(
        call, kept, records.put(call.service, _kind(call), call.path("id"), kept, call.doer)
    )


def _patch(call: Call, changes: Mapping[str, Any]) -> dict[str, Json]:
    kind, own_id = _kind(call), call.path("id")
    kept, seq = records.patch(call.service, kind, own_id, changes, partial(_read, call), call.doer)
    return _told(call, kept, seq)


def _read(call: Call, body: Mapping[str, Any]) -> Body:
    """Give a document as it is kept."""
    service = call.service
    read = DocumentReader(_kind(call), service.engine.world, service.serve.mask_personal_data)
    row = read.record(call.path("id"), {n: v for n, v in body.items() if n != "id"})
    if isinstance(row, Fault):
        raise Problem(Code.BAD_DATA, row.detail, pointer=row.pointer, hint=row.hint)
    return {} if row.body is None else row.body


def _told(call: Call, kept: Body, seq: int) -> dict[str, Json]:
    told = records.told(call.service, _kind(call), kept)
    return {"id": call.path("id"), **told, "seq": seq, "body": dict(kept)}


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
    *_documents("items", {"title": "Rain on a tin roof", "genres": ["Drama"]}),
    *_documents("users", {"about": "slow-burn science fiction"}),
    Endpoint("GET", "/v1/users/{id}/taste", Scope.READ, get_taste, None, _TASTE),
    Endpoint("PUT", "/v1/users/{id}/taste", Scope.WRITE, put_taste, Taste, _TASTE, _TASTE),
    Endpoint("GET", "/v1/users/{id}/export", Scope.ADMIN, export, None, {"user": "1"}),
    Endpoint("POST", "/v1/users/{id}/forget", Scope.ADMIN, forget, None, {"verified": True}, {}),
)
