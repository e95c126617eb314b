"""The running model: it follows the log, learns, places items, swaps bundles, and never stops.

Three things happen beside answering. `catch_up` lets the world know what the log holds, in
microseconds per event. `renew`, in the background, places new items, learns from what happened
and swaps models; each builds a new world from a copy of the present one, and is put in place
together with whatever came in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from longtale import log
from longtale.contracts import EventStore
from longtale.data.event import EventKind
from longtale.data.record import Appended, Record, RecordKind
from longtale.errors import LongtaleError, StoreError
from longtale.feedback.group_commit import GroupCommit
from longtale.recommend.bundle import load
from longtale.recommend.pipeline import Recommender
from longtale.serve.documents import frame_of
from longtale.serve.forgotten import forgotten
from longtale.serve.world import Views, World

PAGE = 10_000
"""Records read from the log at once."""
PLACED_AT_ONCE = 500
"""Items encoded in one go, so that the first of many are live soon."""


class Engine:
    """A world that keeps up with the log.

    Args:
        recommender: the model to begin with.
        store: the log.
        kinds: how much interest each kind of event shows, by name.
        find_bundle: gives the folder of a version; None where there is none.
        commit_wait_ms: how long a commit waits for company.
    """

    def __init__(
        self,
        recommender: Recommender,
        store: EventStore,
        kinds: Mapping[str, EventKind],
        *,
        find_bundle: Callable[[str], Path | None] = lambda _: None,
        commit_wait_ms: float = 2.0,
    ) -> None:
        self.store = store
        self.views = Views()
        self.kinds = kinds
        self.world = World.of(recommender, kinds)
        self.refused: dict[str, str] = {}
        self.last_event_at = 0.0
        self._find_bundle = find_bundle
        self._commit = GroupCommit(store, wait_ms=commit_wait_ms)
        self._following = threading.Lock()
        self._renewing = threading.Lock()
        self._forgotten = 0
        self._retired: World | None = None
        self.catch_up()

    def append(self, records: Sequence[Record]) -> Appended:
        """Keep records durably and know them; returns when both are done.

        Raises:
            StoreError: they could not be kept; nothing of them is known.
        """
        done = self._commit.submit(records).result()
        self.catch_up(done.seq)
        return done

    def catch_up(self, seq: int | None = None) -> int:
        """Know the log up to a number, or to its end; give the number that is known then.

        Raises:
            StoreError: the log cannot be read; what was known stays known.
        """
        if seq is not None and self.world.seq >= seq:
            return self.world.seq
        with self._following:
            while True:
                page = self.store.read(self.world.seq, PAGE)
                if not page:
                    return self.world.seq
                world = self.world
                for stored in page:
                    self.views.apply(stored.record)
                self.world = world.after(page)
                kinds = {stored.record.kind for stored in page}
                self._forgotten += RecordKind.FORGOTTEN in kinds
                if RecordKind.EVENT in kinds:
                    self.last_event_at = time.time()
                if len(page) < PAGE:
                    return self.world.seq

    def forget(self, user: str) -> tuple[str, dict[str, int]]:
        """Forget a user in the store, here, and in every process that follows the log.

        Returns:
            The id of the receipt, and how much of what the store let go of.
        """
        removed = self.store.forget(user)
        receipt = forgotten(user)
        self.append([receipt])
        return receipt.subject, removed

    def place(self) -> int:
        """Encode items whose documents came or changed, and put them beside the others.

        Returns:
            How many were placed.
        """
        with self._renewing:
            before = self.world
            ids = sorted(before.unplaced)[:PLACED_AT_ONCE]
            if not ids:
                return 0
            generation = self._forgotten
            placed = {item: self.views.items.get(item) for item in ids}
            recommender = warmed(_with_documents(before.recommender, placed))
            if not self._put(recommender, generation, learned=0):
                return 0
            with self._following:
                stale = {i for i, body in placed.items() if self.views.items.get(i) is not body}
                world = replace(self.world, unplaced=self.world.unplaced - (set(ids) - stale))
                waiting, world = world.waiting, replace(world, waiting=())
                self.world = world.with_events(waiting)
        return len(ids)

    def learn(self) -> int:
        """Let all parts learn from the events since the last time; give how many there were."""
        with self._renewing:
            generation, before = self._forgotten, self.world
            pending = before.live.pending
            if not len(pending):
                return 0
            recommender = warmed(before.recommender.having_learned(pending))
            is_put = self._put(recommender, generation, learned=len(pending))
        return len(pending) if is_put else 0

    def promote(self, version: str) -> None:
        """Let another bundle answer; it takes over when it knows all that this one knows.

        Raises:
            LongtaleError: there is no such bundle, or it is not whole; the present one stays.
        """
        with self._renewing:
            if version == self.world.recommender.version:
                return
            if self._retired is not None and self.has_retired(version):
                world = self._retired
            else:
                world = World.of(self._loaded(version), self.kinds)
                warmed(world.recommender)
            world = self._followed(world)
            with self._following:
                before, self.world = self.world, self._followed(world)
                self._retired = before
        log.info("model promoted", version=version, seq=self.world.seq)

    def has_retired(self, version: str) -> bool:
        """Say whether the model of a version answered before this one, and is still at hand."""
        return self._retired is not None and self._retired.recommender.version == version

    def renew(self) -> int:
        """Do what waits to be done: a promotion that the log tells of, then items to place.

        Returns:
            How many items were placed.
        """
        wanted = self.views.model
        if wanted is not None and wanted.subject != self.world.recommender.version:
            try:
                self.promote(wanted.subject)
            except LongtaleError as error:
                if self.refused.get(wanted.subject) != str(error):
                    log.warn("bundle refused", version=wanted.subject, reason=str(error))
                self.refused[wanted.subject] = str(error)
        return self.place()

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self._commit.close()
        self.store.close()

    def _loaded(self, version: str) -> Recommender:
        folder = self._find_bundle(version)
        if folder is None:
            raise LongtaleError(
                f"no bundle of version '{version}' lies beside the present one; "
                "train it, or copy its folder there"
            )
        return load(folder)

    def _followed(self, world: World) -> World:
        while page := self.store.read(world.seq, PAGE):
            world = world.after(page)
        return world

    def _put(self, recommender: Recommender, generation: int, *, learned: int) -> bool:
        """Put a model that came from an earlier world in place; events since then stay.

        Where somebody was forgotten meanwhile it is dropped, since it may hold them.
        """
        with self._following:
            if generation != self._forgotten:
                return False
            live = self.world.live.after(recommender.dataset, learned)
            self.world = replace(self.world, recommender=recommender, live=live)
            return True


def _with_documents(recommender: Recommender, documents: Mapping[str, object]) -> Recommender:
    """Give the recommender that knows these documents; what was taken away is hidden."""
    catalog = recommender.dataset.catalog
    bodies = [
        (item, body if isinstance(body, Mapping) else {"hidden": True})
        for item, body in documents.items()
    ]
    rows = catalog.items.rows([item for item, _ in bodies])
    new = [pair for pair, row in zip(bodies, rows, strict=True) if row < 0]
    old = [pair for pair, row in zip(bodies, rows, strict=True) if row >= 0]
    if old:
        recommender = recommender.with_changes(frame_of(catalog, old))
    return recommender.with_items(frame_of(catalog, new)) if new else recommender


def warmed(recommender: Recommender) -> Recommender:
    """Give the same recommender, ready to answer in its usual time."""
    try:
        recommender.recommend(n=1)
    except StoreError:
        raise
    except LongtaleError as error:
        log.warn("a model could not be tried", reason=str(error))
    return recommender
