"""Items, users, tastes and rules as they are kept: put, changed, given one by one or in pages."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson
import polars as pl

from longtale.data.filters.filter import parse_filter
from longtale.data.record import ABOUT_USERS, Body, Record, RecordKind
from longtale.errors import UnknownIdError
from longtale.recommend.answer import Json
from longtale.recommend.present import plain
from longtale.serve.audit import Doer
from longtale.serve.documents import document, frame_of, indexed, merged
from longtale.serve.messages import Page
from longtale.serve.service import Service
from longtale.serve.taste import Taste

_READ_AT_ONCE = 1000


def put(service: Service, kind: RecordKind, subject: str, body: Body | None, doer: Doer) -> int:
    """Keep one record, and who asked for it; give a number from which on it holds.

    What is so already is not kept again.
    """
    record, who = _told_by(doer, kind, subject, body)
    if not changed(service, [record]):
        return service.engine.world.seq
    return service.append([record, who]).seq


def changed(service: Service, records: Sequence[Record]) -> list[Record]:
    """Give those of some documents that are not as they were: the others need not be kept again."""
    service.engine.catch_up()
    latest: dict[str, Body | None] = {}
    found = []
    for record in records:
        own_id, body = record.subject, record.body
        before = latest[own_id] if own_id in latest else _kept(service, record.kind, own_id)
        if not _is_same(before, body):
            found.append(record)
        latest[own_id] = body
    return found


def patch(
    service: Service,
    kind: RecordKind,
    own_id: str,
    changes: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], Body],
    doer: Doer,
) -> tuple[Body, int]:
    """Change some attributes (RFC 7396), one change after the other, whichever process makes it.

    So two changes at one time are both made, and of those that name one attribute the later holds.

    Args:
        service: where.
        kind: ITEM or USER.
        own_id: of the document.
        changes: what is to be different; null takes away.
        read: gives the whole document as it is kept.
        doer: who asks for it.

    Returns:
        The document, and a number from which on it holds.

    Raises:
        UnknownIdError: there is none of this id.
    """
    with service.patching:
        while True:
            seen = service.engine.catch_up()
            whole = merged(one(service, kind, own_id), changes)
            body = read(whole if isinstance(whole, Mapping) else {})
            record, who = _told_by(doer, kind, own_id, body)
            if not changed(service, [record]):
                return body, service.engine.world.seq
            done = service.append_unless_newer([record, who], seen)
            if done is not None:  # else another process was faster: again, on what it left
                return body, done.seq


def one(service: Service, kind: RecordKind, own_id: str) -> dict[str, Json]:
    """Give an item or a user as a document.

    Raises:
        UnknownIdError: there is none of this id.
    """
    found = document_of(service, kind, own_id)
    if found is None:
        raise UnknownIdError(f"there is no {kind.value} '{own_id}'")
    return found


def page(service: Service, kind: RecordKind, asked: Page) -> dict[str, Json]:
    """Give some documents in the order of their ids, and where the next begin.

    Raises:
        FilterError: the filter cannot be parsed or applied.
    """
    ids = iter(sorted(own for own in _ids(service, kind) if own > asked.cursor))
    is_typed = kind is RecordKind.ITEM or not asked.filter.strip()
    n_at_once = _READ_AT_ONCE if is_typed else None  # all users' values decide what type they have
    rows: list[Json] = []
    last = ""
    for some in iter(lambda: list(islice(ids, n_at_once)), []):
        for own, body in _meeting(service, kind, some, asked.filter):
            if len(rows) == asked.limit:
                return {f"{kind.value}s": rows, "next": last}
            rows.append({"id": own, **body})
            last = own
    return {f"{kind.value}s": rows, "next": ""}


def told(service: Service, kind: RecordKind, body: Mapping[str, Any]) -> dict[str, Json]:
    """Say what of a document is used."""
    if kind is not RecordKind.ITEM:
        return {}
    return {"indexed": indexed(service.engine.world.live.dataset.catalog, body).as_dict()}


def taste(service: Service, user: str) -> Taste:
    """Give what a user asked for; nothing where they never did."""
    return service.engine.views.tastes.get(user, Taste())


def document_of(service: Service, kind: RecordKind, own_id: str) -> dict[str, Json] | None:
    """Give an item or a user as a document; None where there is none of this id."""
    views, live = service.engine.views, service.engine.world.live
    is_item = kind is RecordKind.ITEM
    told_since: Mapping[str, Body | None] = views.items if is_item else views.users
    if (body := told_since.get(own_id)) is not None:
        return dict(body)
    if is_item:
        row = int(live.dataset.items.rows([own_id])[0])
        return None if row < 0 or own_id in told_since else document(live.dataset.catalog, row)
    row = int(live.user_rows([own_id])[0])
    if row < 0:
        return None
    profiles = live.dataset.profiles
    if own_id in told_since or row >= len(profiles) or not profiles.width:
        return {}
    values = profiles.row(row, named=True)
    return {name: plain(value) for name, value in values.items() if value is not None}


def _told_by(
    doer: Doer, kind: RecordKind, subject: str, body: Body | None
) -> tuple[Record, Record]:
    """Give the record of a change, and that of who asked for it."""
    record = Record(kind, subject, body, uuid.uuid4().hex, time.time_ns() // 1000)
    return record, doer.record(None if kind in ABOUT_USERS else subject)


def _kept(service: Service, kind: RecordKind, subject: str) -> Body | None:
    """Give what is kept of something in the form in which it is put; None where it is not."""
    views = service.engine.views
    match kind:
        case RecordKind.TASTE:
            wished = views.tastes.get(subject)
            return None if wished is None else wished.model_dump(mode="json")
        case RecordKind.RULE:
            rule = views.rules.get(subject)
            return None if rule is None else rule.as_dict()
        case RecordKind.USER if subject in views.users:
            return views.users.get(subject)
        case RecordKind.USER:  # no attributes at all are none that were put
            return document_of(service, kind, subject) or None
        case _:
            return document_of(service, kind, subject)


def _is_same(before: Body | None, after: Body | None) -> bool:
    """Say whether two bodies are the same JSON, in which true is not 1."""
    first, second = (
        None if body is None else orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS)
        for body in (before, after)
    )
    return first == second


def _ids(service: Service, kind: RecordKind) -> set[str]:
    world, views = service.engine.world, service.engine.views
    if kind is RecordKind.ITEM:
        items = list(views.items.items())  # a copy: another thread may write
        known = {*world.live.dataset.items.ids.to_list(), *(own for own, _ in items)}
        return known - {own for own, body in items if body is None}
    return world.user_ids() | {u for u, body in list(views.users.items()) if body is not None}


def _meeting(
    service: Service, kind: RecordKind, ids: list[str], condition: str
) -> Iterator[tuple[str, dict[str, Json]]]:
    pairs = [(own, body) for own in ids if (body := document_of(service, kind, own)) is not None]
    if not condition.strip():
        yield from pairs
        return
    if kind is RecordKind.ITEM:
        frame = frame_of(service.engine.world.live.dataset.catalog, pairs)
    else:
        frame = _table_of([body for _, body in pairs])
    kept = parse_filter(condition).mask(frame)
    yield from (pair for pair, is_kept in zip(pairs, kept.tolist(), strict=True) if is_kept)


def _table_of(bodies: Sequence[Body]) -> pl.DataFrame:
    """Give free attributes as a table; a column takes the type that holds most of its values."""
    names = dict.fromkeys(name for body in bodies for name in body)
    return pl.DataFrame(
        [pl.Series(name, [body.get(name) for body in bodies], strict=False) for name in names]
    )
