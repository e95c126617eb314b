"""What is kept of items and users: documents, exports, and forgetting with a receipt."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from longtale.data.filters.filter import parse_filter
from longtale.data.record import Body, Record, RecordKind
from longtale.errors import UnknownIdError
from longtale.recommend.answer import Json
from longtale.serve.documents import document, frame_of, indexed
from longtale.serve.intake import Sorted
from longtale.serve.messages import Page
from longtale.serve.service import Service
from longtale.serve.taste import Taste

MOST_EXPORTED = 100_000
"""Events and slates of one user that an export holds."""


def keep_records(service: Service, found: Sorted) -> tuple[tuple[bool, ...], int]:
    """Keep what was read, all or none; say what was new, and up to where the log goes then."""
    if not found.records:
        return (), service.engine.world.seq
    done = service.append(found.records)
    return done.is_new, done.seq


def put(service: Service, kind: RecordKind, subject: str, body: Body | None) -> int:
    """Keep one record, and give its number."""
    record = Record(kind, subject, body, uuid.uuid4().hex, time.time_ns() // 1000)
    return service.append([record]).seq


def one(service: Service, kind: RecordKind, own_id: str) -> dict[str, Json]:
    """Give an item or a user as a document.

    Raises:
        UnknownIdError: there is none of this id.
    """
    found = _document(service, kind, own_id)
    if found is None:
        raise UnknownIdError(f"there is no {kind.value} '{own_id}'")
    return found


def page(service: Service, kind: RecordKind, asked: Page) -> dict[str, Json]:
    """Give some documents in the order of their ids, and where the next begin.

    Raises:
        FilterError: the filter cannot be parsed or applied.
    """
    ids = (own for own in _ids(service, kind) if own > asked.cursor)
    rows: list[Json] = []
    last = ""
    for some in iter(lambda: list(islice(ids, 1000)), []):
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


def export(service: Service, user: str) -> dict[str, Json]:
    """Give all that is kept about a user, also what the model's own data hold of them.

    Raises:
        UnknownIdError: nothing is kept about anybody of this id.
    """
    store = service.store
    events = [
        {"seq": s.seq, "at": s.record.at, **dict(s.record.body or {})}
        for s in store.recent(RecordKind.EVENT, user, MOST_EXPORTED)
    ]
    slates = [
        {"slate_id": s.id, "at": s.at, **dict(s.body)} for s in store.slates_of(user, MOST_EXPORTED)
    ]
    found: dict[str, Json] = {
        "user": user,
        "attributes": _document(service, RecordKind.USER, user),
        "taste": taste(service, user).model_dump(mode="json"),
        "events": events,  # type: ignore[dict-item]
        "slates": slates,  # type: ignore[dict-item]
        "history_in_model": list(_history(service, user)),
    }
    if not any(found[name] for name in ("attributes", "events", "slates", "history_in_model")):
        raise UnknownIdError(f"nothing is kept about a user '{user}'")
    return found


def forget(service: Service, user: str) -> dict[str, Json]:
    """Forget a user: at once in every answer, then in the files; give the receipt.

    What models learned from all users together stays until the next training.
    """
    export(service, user)
    dropped = service.keeper.forget(user)
    receipt, removed = service.engine.forget(user)
    service.store.compact()
    left = [
        name
        for name, is_left in {
            "events": bool(service.store.recent(RecordKind.EVENT, user, 1)),
            "slates": bool(service.store.slates_of(user, 1)),
            "answers": user in service.engine.world.user_ids(),
        }.items()
        if is_left
    ]
    counts: dict[str, Json] = {**removed, "slates_not_written_yet": dropped}
    return {
        "receipt": receipt,
        "removed": counts,
        "verified": not left,
        "left": list(left),
        "model": "histories in the bundle's files go with the next training or `longtale forget`",
    }


def _document(service: Service, kind: RecordKind, own_id: str) -> dict[str, Json] | None:
    engine = service.engine
    if kind is RecordKind.ITEM:
        if own_id in engine.views.items:
            body = engine.views.items[own_id]
            return None if body is None else dict(body)
        catalog = engine.world.live.dataset.catalog
        row = int(catalog.items.rows([own_id])[0])
        return None if row < 0 else document(catalog, row)
    if own_id in engine.views.users:
        return dict(engine.views.users[own_id])
    row = int(engine.world.live.user_rows([own_id])[0])
    profiles = engine.world.live.dataset.profiles
    if row < 0:
        return None
    if row >= len(profiles) or not profiles.width:
        return {}
    values = profiles.row(row, named=True)
    return {name: value for name, value in values.items() if value is not None}


def _ids(service: Service, kind: RecordKind) -> list[str]:
    engine = service.engine
    if kind is RecordKind.ITEM:
        gone = {item for item, body in engine.views.items.items() if body is None}
        known = {*engine.world.live.dataset.items.ids, *engine.views.items} - gone
    else:
        known = {*engine.world.user_ids(), *engine.views.users}
    return sorted(known)


def _meeting(
    service: Service, kind: RecordKind, ids: list[str], condition: str
) -> Iterator[tuple[str, dict[str, Json]]]:
    pairs = [(own, body) for own in ids if (body := _document(service, kind, own)) is not None]
    if not condition.strip():
        yield from pairs
        return
    if kind is RecordKind.ITEM:
        frame = frame_of(service.engine.world.live.dataset.catalog, pairs)
    else:
        frame = pl.DataFrame([body for _, body in pairs], infer_schema_length=None)
    kept = parse_filter(condition).mask(frame)
    yield from (pair for pair, is_kept in zip(pairs, kept.tolist(), strict=True) if is_kept)


def _history(service: Service, user: str) -> Iterator[str]:
    dataset = service.engine.world.recommender.dataset
    row = int(dataset.users.rows([user])[0])
    if row >= 0:
        yield from dataset.items.ids_of(dataset.histories(np.array([row])).items)
