"""The running model: it follows the log, learns, places items, swaps bundles, and never stops.

Three things happen beside answering. `catch_up` lets the world know what the log holds, in
microseconds per event. `renew`, in the background, places new items, learns from what happened
and swaps models; each builds a new world from a copy of the present one, and is put in place
together with whatever came in between.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from longtale import log
from longtale.contracts import EventStore
from longtale.data.event import EventKind
from longtale.data.record import ABOUT_USERS, Appended, Body, Record, RecordKind, Stored
from longtale.errors import LongtaleError, StoreError
from longtale.feedback.group_commit import GroupCommit
from longtale.recommend.bundle import load
from longtale.recommend.pipeline import Recommender
from longtale.serve.forgotten import forgotten
from longtale.serve.world import Views, World, with_documents

PAGE = 10_000
"""Records read from the log at once."""
PLACED_AT_ONCE = 500
"""Items encoded in one go, so that the first of many are live soon."""
RETRY_S = 30.0
"""When a bundle that was refused is tried again: to read it takes a while."""


class Engine:
    """A world that keeps up with the log.

    Args:
        recommender: the model to begin with.
        store: the log.
        kinds: how much interest each kind of event shows, by name.
        find_bundle: gives the folder of a version; None where there is none.
        heard: is told all records of the log, once each and in their order.
        commit_wait_ms: how long a commit waits for company.
    """

    def __init__(
        self,
        recommender: Recommender,
        store: EventStore,
        kinds: Mapping[str, EventKind],
        *,
        find_bundle: Callable[[str], Path | None] = lambda _: None,
        heard: Callable[[Sequence[Record]], None] = lambda _: None,
        commit_wait_ms: float = 2.0,
    ) -> None:
        self.store = store
        self.views = Views()
        self.kinds = kinds
        self.world = World.of(recommender, kinds)
        self.refused: dict[str, str] = {}
        self._refused_at: dict[str, float] = {}
        self.last_event_at = 0.0
        self._find_bundle = find_bundle
        self._heard = heard
        self._commit = GroupCommit(_KeepAndKnow(self), wait_ms=commit_wait_ms)
        self._following = threading.Lock()
        self._renewing = threading.RLock()
        self._forgotten = 0
        self.retired: World | None = None
        self.catch_up()

    def submit(self, records: Sequence[Record]) -> Future[Appended]:
        """Keep records durably, together with what others hand in, and know them.

        The future fails with a StoreError where they could not be kept; then none of them is known.
        """
        return self._commit.submit(records)

    def append(self, records: Sequence[Record]) -> Appended:
        """Do the same, and wait until it is done.

        Raises:
            StoreError: they could not be kept; nothing of them is known.
        """
        return self.submit(records).result()

    def catch_up(self, seq: int | None = None) -> int:
        """Know the log up to a number, or to its end; give the number that is known then.

        Raises:
            StoreError: the log cannot be read; what was known stays known.
        """
        if seq is not None and self.world.seq >= seq:
            return self.world.seq
        with self._following:
            return self._follow()

    def forget(self, user: str, *, also: Sequence[Record] = ()) -> tuple[str, dict[str, int]]:
        """Forget a user in the store, here, and in every process that follows the log.

        Args:
            user: whom.
            also: further records to keep.

        Returns:
            The id of the receipt, and how much of what the store let go of.
        """
        removed: Counter[str] = Counter()
        while True:
            removed.update(self.store.forget(user))
            receipt = forgotten(user)
            self.append([receipt, *also])
            [told] = self.store.find([receipt.id])
            left = (s for kind in ABOUT_USERS for s in self.store.recent(kind, user, PAGE))
            if all(stored.seq > told.seq for stored in left):
                return receipt.subject, dict(removed)
            also = ()  # something came between the removal and the receipt: again

    def place(self) -> int:
        """Encode items whose documents came or changed, and put them beside the others.

        Returns:
            How many were placed.
        """
        with self._renewing:
            generation, before = self._forgotten, self.world
            documents = self._to_place(before)
            if not documents:
                return 0
            recommender = warmed(with_documents(before.recommender, documents))
            with self._following:
                if generation != self._forgotten:
                    return 0
                items = self.views.items
                fresh = [i for i, body in documents.items() if items.get(i) is body]
                self.world = self.world.placed(recommender, fresh)
        return len(documents)

    def learn(self) -> int:
        """Let all parts learn from the events since the last time; give how many there were."""
        with self._renewing:
            generation, before = self._forgotten, self.world
            n_pending = len(before.live.pending)
            if not n_pending:
                return 0
            recommender = warmed(before.recommender.having_learned(before.live.pending))
            with self._following:
                if generation != self._forgotten:  # it may hold what is to be forgotten
                    return 0
                self.world = self.world.having_learned(recommender, n_pending)
        return n_pending

    def promote(self, version: str, told: Callable[[str], Sequence[Record]]) -> int:
        """Let another bundle answer; it takes over when it knows all that this one knows.

        Args:
            version: of the bundle; the present one changes nothing.
            told: gives the records that tell of it, by the version that answered before.

        Returns:
            A number of the log from which on it holds.

        Raises:
            LongtaleError: there is no such bundle, or it is not whole, or the records could not be
                kept; the present one stays.
        """
        with self._renewing:
            before = self.world.recommender.version
            if version == before:
                return self.world.seq
            self._swap(version)
            try:
                return self.append(told(before)).seq
            except StoreError:
                self._swap(before)
                raise

    def has_retired(self, version: str) -> bool:
        """Say whether the model of a version answered before this one, and is still at hand."""
        return self.retired is not None and self.retired.recommender.version == version

    def renew(self) -> int:
        """Do what waits to be done: a promotion that the log tells of, then items to place.

        Returns:
            How many items were placed.
        """
        with self._renewing:
            wanted = self.views.model
            if wanted is not None and wanted.subject != self.world.recommender.version:
                self._obey(wanted.subject)
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

    def _obey(self, version: str) -> None:
        """Promote what the log tells of; what was refused is tried again now and then."""
        now = time.monotonic()
        if now - self._refused_at.get(version, -RETRY_S) < RETRY_S:
            return
        try:
            self._swap(version)
        except (LongtaleError, OSError) as error:
            if self.refused.get(version) != str(error):
                log.warn("bundle refused", version=version, reason=str(error))
            self.refused[version], self._refused_at[version] = str(error), now

    def _swap(self, version: str) -> None:
        """Put another model in place that knows all that the present one knows."""
        if self.retired is not None and self.has_retired(version):
            world = self.retired
        else:
            world = World.of(self._loaded(version), self.kinds)
        world = self._followed(world, self.catch_up())
        while documents := self._to_place(world):
            world = world.placed(with_documents(world.recommender, documents), documents)
        warmed(world.recommender)
        with self._following:
            self._follow()
            self.retired, self.world = self.world, self._followed(world, self.world.seq)
        self.refused.pop(version, None)
        log.info("model promoted", version=version, seq=self.world.seq)

    def _to_place(self, world: World) -> dict[str, Body | None]:
        return {
            item: self.views.items.get(item) for item in sorted(world.unplaced)[:PLACED_AT_ONCE]
        }

    def _follow(self) -> int:
        """Know the log to its end; whoever calls holds the lock."""
        while True:
            page = self.store.read(self.world.seq, PAGE)
            if page:
                self._know(page)
            if len(page) < PAGE:
                return self.world.seq

    def _know(self, page: Sequence[Stored]) -> None:
        world = self.world
        for stored in page:
            self.views.apply(stored.record)
        self._heard([stored.record for stored in page])
        self.world = world.after(page)
        for stored in page:
            if stored.record.kind is RecordKind.FORGOTTEN:
                self._forgotten += 1
                if self.retired is not None:
                    self.retired = self.retired.forgetting(stored.record)
            elif stored.record.kind is RecordKind.EVENT:
                self.last_event_at = time.time()

    def _followed(self, world: World, seq: int) -> World:
        """Give a world that knows the log just up to a number: views of it may know no more."""
        while world.seq < seq:
            page = [stored for stored in self.store.read(world.seq, PAGE) if stored.seq <= seq]
            world = world.after(page) if page else replace(world, seq=seq)
        return world


def warmed(recommender: Recommender) -> Recommender:
    """Give the same recommender, ready to answer and to search in its usual time."""
    try:
        recommender.recommend(n=1)
        _ = recommender.searching
    except LongtaleError as error:
        log.warn("a model could not be tried", reason=str(error))
    return recommender


@dataclass(frozen=True)
class _KeepAndKnow:
    """Appends to the log, and lets the world know what it holds now: once for a whole commit."""

    engine: Engine

    def append(self, records: Sequence[Record]) -> Appended:
        """Keep records; that they are kept does not depend on whether they can be read."""
        done = self.engine.store.append(records)
        try:
            self.engine.catch_up(done.seq)
        except StoreError as error:
            log.warn("what was kept could not be read", reason=str(error))
        return done
