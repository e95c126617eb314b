"""What a service wrote down, as data to train on: the tables of the project, and its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from longtale.contracts import EventStore
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.event import EventKind
from longtale.data.forgetting import without_user
from longtale.data.live import Live
from longtale.data.record import Body, Record, RecordKind, Stored
from longtale.data.vocabulary import Vocabulary
from longtale.schema import Column
from longtale.serve.documents import frame_of, with_availability
from longtale.serve.forgotten import meant

PAGE = 10_000


@dataclass
class _Told:
    """What a log says, read from its start."""

    items: dict[str, Body | None] = field(default_factory=dict)
    events: list[Record] = field(default_factory=list)
    forgotten: list[Record] = field(default_factory=list)
    seq: int = 0

    def take(self, stored: Stored) -> None:
        record = stored.record
        match record.kind:
            case RecordKind.ITEM:
                self.items[record.subject] = record.body
            case RecordKind.EVENT:
                self.events.append(record)
            case RecordKind.FORGOTTEN:
                self.forgotten.append(record)
        self.seq = stored.seq


def with_log(
    dataset: Dataset, store: EventStore, kinds: Mapping[str, EventKind]
) -> tuple[Dataset, int]:
    """Give a dataset that also holds what a service wrote down, and how far its log was read.

    Events on items that neither has are left out. Who was forgotten is forgotten here too, also
    where the tables still hold them.

    Args:
        dataset: the tables of the project.
        store: the log.
        kinds: how much interest each kind of event shows, by name.
    """
    told = _Told()
    for stored in _records(store):
        told.take(stored)
    dataset = replace(dataset, catalog=_described(dataset.catalog, told.items))
    for record in told.forgotten:
        for user in meant(record, dataset.users.ids):
            dataset = without_user(dataset, dataset.users.row(user))
    named = (*dataset.kinds, *(name for name in kinds if name not in dataset.kinds))
    live = Live(replace(dataset, kinds=named))
    known = {**{name: EventKind(name=name) for name in named}, **kinds}
    found = [(r.subject, r.body) for r in told.events if r.body is not None]
    rows = live.dataset.items.rows([body["item"] for _, body in found])
    kept = [event for event, row in zip(found, rows, strict=True) if row >= 0]
    kept = [(user, body) for user, body in kept if body["kind"] in known]
    if not kept:
        return live.dataset, told.seq
    values = [body.get("value") for _, body in kept]
    arrivals = live.read(
        [user for user, _ in kept],
        [body["item"] for _, body in kept],
        kinds=[body["kind"] for _, body in kept],
        known_kinds=known,
        values=np.array([np.nan if v is None else v for v in values], dtype=np.float32),
        times=np.array([body["time"] for _, body in kept], dtype=np.int64),
    )
    return live.with_events(arrivals).folded(), told.seq


def _records(store: EventStore) -> Iterator[Stored]:
    seq = 0
    while page := store.read(seq, PAGE):
        yield from page
        seq = page[-1].seq


def _described(catalog: Catalog, documents: Mapping[str, Body | None]) -> Catalog:
    """Give the catalogue by the documents that came; what was taken away is hidden."""
    if not documents:
        return catalog
    catalog = with_availability(catalog)
    bodies = {item: {Column.HIDDEN: True} if b is None else b for item, b in documents.items()}
    rows = catalog.items.rows(list(bodies))
    new = [pair for pair, row in zip(bodies.items(), rows, strict=True) if row < 0]
    old = [pair for pair, row in zip(bodies.items(), rows, strict=True) if row >= 0]
    if old:
        frame = frame_of(catalog, old).drop("item_id")
        catalog = catalog.described_anew(rows[rows >= 0].tolist(), frame)
    if new:
        items = Vocabulary.of([item for item, _ in new], noun="item")
        catalog = catalog.extended(Catalog(items, frame_of(catalog, new).drop("item_id")))
    return catalog
