"""What one process knows at one moment, and how records of the log change it.

Every process follows the log by itself and keeps these views; all of them can be made again by
reading the log from its start. A `World` is frozen: an answer reads one, and so never mixes two
models or half of a batch of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from longtale.arrays import Mask
from longtale.data.arrivals import Arrivals
from longtale.data.event import EventKind
from longtale.data.live import Live
from longtale.data.record import Body, Record, RecordKind, Stored
from longtale.recommend.pipeline import Recommender
from longtale.schema import Column
from longtale.serve.documents import can_be_shown, frame_of, with_availability
from longtale.serve.forgotten import meant
from longtale.serve.keys import KeyRing
from longtale.serve.rules import Rule
from longtale.serve.taste import Taste

_T = TypeVar("_T")
_IN_TRAINING = (RecordKind.EVENT, RecordKind.ITEM, RecordKind.FORGOTTEN)


@dataclass(eq=False)
class Views:
    """What the log says besides events, by id; one thread writes, others look things up.

    Args:
        items: documents of items since the bundle; None where an item was taken away.
        users: attributes of users; None where they were taken away.
        tastes: what users asked for.
        rules: of the editors.
        keys: access keys, hashed.
        model: the record that promoted a bundle last.
    """

    items: dict[str, Body | None] = field(default_factory=dict)
    users: dict[str, Body | None] = field(default_factory=dict)
    tastes: dict[str, Taste] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    keys: KeyRing = field(default_factory=KeyRing)
    model: Record | None = None

    def apply(self, record: Record) -> None:
        """Take in one record."""
        subject, body = record.subject, record.body
        match record.kind:
            case RecordKind.ITEM:
                self.items[subject] = body
            case RecordKind.USER:
                self.users[subject] = body
            case RecordKind.TASTE:
                _put(self.tastes, subject, None if body is None else Taste.parse(dict(body)))
            case RecordKind.RULE:
                _put(self.rules, subject, None if body is None else Rule.parse(dict(body)))
            case RecordKind.KEY:
                self.keys = self.keys.with_record(record)
            case RecordKind.MODEL:
                self.model = record
            case RecordKind.FORGOTTEN:
                for user in meant(record, {*self.users, *self.tastes}):
                    self.users.pop(user, None)
                    self.tastes.pop(user, None)


@dataclass(frozen=True, eq=False)
class World:
    """A model and all events up to one number of the log.

    Args:
        recommender: what answers; it has learned from some of the events.
        live: its dataset and the events since.
        kinds: how much interest each kind of event shows, by name.
        seq: number of the last record that is known.
        waiting: events on items that are not placed yet.
        unplaced: items whose documents changed since the catalogue was made.
    """

    recommender: Recommender
    live: Live
    kinds: Mapping[str, EventKind]
    seq: int = 0
    waiting: tuple[Stored, ...] = ()
    unplaced: frozenset[str] = frozenset()

    @classmethod
    def of(cls, recommender: Recommender, kinds: Mapping[str, EventKind], *, seq: int = 0) -> World:
        """Begin with a model that knows the log up to a number."""
        dataset = recommender.dataset
        named = (*dataset.kinds, *(name for name in kinds if name not in dataset.kinds))
        known = {**{name: EventKind(name=name) for name in dataset.kinds}, **kinds}
        catalog = with_availability(dataset.catalog)
        dataset = replace(dataset, kinds=named, catalog=catalog)
        return cls(
            replace(recommender, dataset=dataset),
            Live(dataset),
            MappingProxyType(known),
            seq,
        )

    def after(self, records: Sequence[Stored]) -> World:
        """Give the world that knows further records; items are placed later, by `placed`.

        What the bundle was trained on is in its data already; who was forgotten before that, and
        came back, is not to be forgotten again.
        """
        world, trained = self, self.recommender.log_seq
        news = [s for s in records if s.seq > trained or s.record.kind not in _IN_TRAINING]
        for is_event, group in groupby(news, lambda s: s.record.kind is RecordKind.EVENT):
            stored = list(group)
            world = world.with_events(stored) if is_event else world._changed(stored)
        return replace(world, seq=records[-1].seq) if records else world

    def with_events(self, events: Iterable[Stored]) -> World:
        """Let events be known; those on items that are not placed yet wait."""
        told = [s for s in events if s.record.body and s.record.body["kind"] in self.kinds]
        rows = self.live.dataset.items.rows([_body(s)["item"] for s in told])
        found = [s for s, row in zip(told, rows, strict=True) if row >= 0]
        waiting = [s for s, row in zip(told, rows, strict=True) if row < 0]
        world = replace(self, waiting=(*self.waiting, *waiting)) if waiting else self
        return replace(world, live=self.live.with_events(self._read(found))) if found else world

    def placed(self, recommender: Recommender, ids: Iterable[str]) -> World:
        """Give the world whose recommender knows some items; events that waited for them are known.

        Args:
            recommender: this world's own, with these items as they are now.
            ids: which items.
        """
        live = self.live.after(recommender.dataset, 0)
        unplaced = self.unplaced.difference(ids)
        world = replace(self, recommender=recommender, live=live, unplaced=unplaced, waiting=())
        return world.with_events(self.waiting)

    def having_learned(self, recommender: Recommender, n_learned: int) -> World:
        """Give the world whose recommender learned the first of the events that wait for it."""
        live = self.live.after(recommender.dataset, n_learned)
        return replace(self, recommender=recommender, live=live)

    def forgetting(self, receipt: Record) -> World:
        """Give the world that does not know whom such a record means."""
        world = self
        for user in meant(receipt, self.user_ids()):
            world = world.without_user(user)
        return world

    def without_user(self, user: str) -> World:
        """Give the world that does not know a user."""
        row = int(self.live.user_rows([user])[0])
        waiting = tuple(s for s in self.waiting if s.record.subject != user)
        if row < 0:
            return replace(self, waiting=waiting)
        pending = self.live.pending.without(row, user)
        recommender = self.recommender
        if row < recommender.dataset.n_users:
            recommender = recommender.without_user(row)
        live = Live(recommender.dataset, pending)
        return replace(self, recommender=recommender, live=live, waiting=waiting)

    def withheld(self, views: Views, at: int) -> Mask:
        """Say which items must not be shown by documents that came since, bool (N,)."""
        mask = np.zeros(self.live.dataset.n_items, dtype=np.bool_)
        if self.unplaced:
            ids = list(self.unplaced)
            rows = self.live.dataset.items.rows(ids)
            for item, row in zip(ids, rows.tolist(), strict=True):
                if row >= 0:
                    mask[row] = not can_be_shown(views.items.get(item), at)
        return mask

    def _changed(self, records: Sequence[Stored]) -> World:
        items = {s.record.subject for s in records if s.record.kind is RecordKind.ITEM}
        world = replace(self, unplaced=self.unplaced | items) if items else self
        for stored in records:
            if stored.record.kind is RecordKind.FORGOTTEN:
                world = world.forgetting(stored.record)
        return world

    def knows(self, user: str) -> bool:
        """Say whether anything is known of a user."""
        is_waiting = any(stored.record.subject == user for stored in self.waiting)
        return is_waiting or int(self.live.user_rows([user])[0]) >= 0

    def user_ids(self) -> set[str]:
        """Give all users of whom anything is known."""
        known = {*self.live.dataset.users.ids.to_list(), *self.live.pending.newcomers}
        return known | {stored.record.subject for stored in self.waiting}

    def _read(self, events: Sequence[Stored]) -> Arrivals:
        bodies = [_body(stored) for stored in events]
        values = [body.get("value") for body in bodies]
        return self.live.read(
            [stored.record.subject for stored in events],
            [body["item"] for body in bodies],
            kinds=[body["kind"] for body in bodies],
            known_kinds=self.kinds,
            values=np.array([np.nan if v is None else v for v in values], dtype=np.float32),
            times=np.array([body["time"] for body in bodies], dtype=np.int64),
        )


def with_documents(recommender: Recommender, documents: Mapping[str, Body | None]) -> Recommender:
    """Give the recommender that knows these documents; what was taken away is hidden."""
    catalog = recommender.dataset.catalog
    bodies = [
        (item, {Column.HIDDEN: True} if body is None else body) for item, body in documents.items()
    ]
    rows = catalog.items.rows([item for item, _ in bodies])
    new = [pair for pair, row in zip(bodies, rows, strict=True) if row < 0]
    old = [pair for pair, row in zip(bodies, rows, strict=True) if row >= 0]
    if old:
        recommender = recommender.with_changes(frame_of(catalog, old))
    return recommender.with_items(frame_of(catalog, new)) if new else recommender


def _body(stored: Stored) -> Body:
    return {} if stored.record.body is None else stored.record.body


def _put(view: dict[str, _T], subject: str, value: _T | None) -> None:
    if value is None:
        view.pop(subject, None)
    else:
        view[subject] = value
