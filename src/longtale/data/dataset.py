"""The dataset: catalogue, users and what happened between them, frozen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Mask, Times
from longtale.data.catalog import Catalog, frame_hash
from longtale.data.impressions import Impressions
from longtale.data.interactions import Histories, Interactions
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.errors import SplitError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Everything that is known at one moment.

    Args:
        users: U user ids.
        catalog: N items; every item has its row, also when nobody touched it.
        interactions: events that show interest.
        dismissals: events that show the opposite; their items count as seen.
        kinds: names of the event kinds, in the numbering of the tables of events.
        impressions: what was shown.
        profiles: attributes and free text of each user, U rows, or no columns at all.
        tags: dated words of users about items; the catalogue's tag column is made of them.
        profile_texts: columns of `profiles` in which users say in words what they like.
    """

    users: Vocabulary
    catalog: Catalog
    interactions: Interactions
    dismissals: Interactions
    kinds: tuple[str, ...]
    impressions: Impressions
    profiles: pl.DataFrame
    tags: Tags
    profile_texts: tuple[str, ...] = ()

    @property
    def items(self) -> Vocabulary:
        """The N item ids."""
        return self.catalog.items

    @property
    def has_times(self) -> bool:
        """Whether events carry times; if not, only the order within each user is known."""
        return self.interactions.times is not None

    @property
    def n_users(self) -> int:
        """U."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """N."""
        return len(self.catalog)

    def before(self, time: int) -> Dataset:
        """Keep only what happened before a time (microseconds UTC), also of the tags' words.

        Raises:
            SplitError: the events carry no times.
        """
        tags = self.tags.before(time)
        return replace(
            self,
            catalog=self.catalog.with_tags(tags) if len(self.tags) else self.catalog,
            tags=tags,
            interactions=self.interactions.where(_earlier(self.interactions, time)),
            dismissals=self.dismissals.where(_earlier(self.dismissals, time)),
            impressions=self.impressions.before(time),
        )

    def with_interactions(self, kept: Mask) -> Dataset:
        """Keep the chosen interactions, bool (n,); users, items and dismissals stay."""
        return replace(self, interactions=self.interactions.where(kept))

    def histories(
        self,
        user_rows: NDArray[np.integer],
        *,
        before: int | None = None,
        since: int | None = None,
    ) -> Histories:
        """Give what these users showed interest in, oldest first; row -1 has nothing.

        Args:
            user_rows: int (B,).
            before: keep only what happened before this time, microseconds UTC.
            since: keep only what happened at this time or later.

        Raises:
            SplitError: a time is given, but the events carry none.
        """
        found = _histories(self.interactions, user_rows)
        if before is not None:
            found = found.where(_times(found) < before)
        return found if since is None else found.where(_times(found) >= since)

    def dismissed(self, user_rows: NDArray[np.integer]) -> Histories:
        """Give what these users turned down, oldest first; row -1 has nothing."""
        return _histories(self.dismissals, user_rows)

    def seen(self, user_rows: NDArray[np.integer]) -> sparse.csr_array:
        """Say which items these users have met, liked or dismissed, as stored entries (B, N)."""
        met = self.histories(user_rows).followed_by(self.dismissed(user_rows))
        # Not the weights: a dismissal may weigh nothing, or take away what a like gave.
        ones = np.ones(len(met.items), dtype=np.float32)
        return replace(met, weights=ones).matrix(self.n_items)

    def matrix(self) -> sparse.csr_array:
        """Give interest as float32 (U, N); repeated events add up."""
        return self.interactions.histories.matrix(self.n_items)

    def words_of(self, user_row: int) -> str:
        """Give what a user wrote about themselves; empty where there is nothing, as for row -1."""
        if user_row < 0 or not self.profile_texts:
            return ""
        said = self.profiles.row(user_row, named=True)
        return ". ".join(str(said[name]) for name in self.profile_texts if said[name])

    @cached_property
    def item_counts(self) -> NDArray[np.int64]:
        """Number of interactions of each item, (N,)."""
        return np.bincount(self.interactions.items, minlength=self.n_items)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole content: same content, same fingerprint."""
        words, shown = self.tags, self.impressions
        arrays = [
            *_arrays(self.interactions),
            *_arrays(self.dismissals),
            *(words.items, words.times),
            *(shown.users, shown.items, shown.ranks, shown.propensities, shown.times),
        ]
        tables = (self.profiles, words.words.to_frame("word"), shown.slates.to_frame("slate"))
        digest = hashlib.sha256(
            repr([self.kinds, self.profile_texts, [frame_hash(t) for t in tables]]).encode()
        )
        digest.update((self.users.fingerprint + self.catalog.fingerprint).encode())
        for array in arrays:
            digest.update(repr(None if array is None else (array.dtype.str, array.shape)).encode())
            digest.update(b"" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _arrays(events: Interactions) -> tuple[NDArray[np.generic] | None, ...]:
    history = events.histories
    return (
        history.offsets,
        history.items,
        history.weights,
        history.times,
        events.kinds,
        events.values,
    )


def _earlier(events: Interactions, time: int) -> Mask:
    return _times(events.histories) < time


def _times(histories: Histories) -> Times:
    if histories.times is not None:
        return histories.times
    if not len(histories.items):
        return np.empty(0, dtype=np.int64)
    raise SplitError(
        "these events carry no times, only an order within each user, so they cannot be cut "
        "at a time; use leave-one-out (protocol refit or strict), or map a time column"
    )


def _histories(events: Interactions, user_rows: NDArray[np.integer]) -> Histories:
    known = np.asarray(user_rows) >= 0
    if not known.any():  # there may be no user at all
        return Histories.of([[]] * len(known))
    found = events.histories.take(np.where(known, user_rows, 0))
    return found if known.all() else found.where(np.repeat(known, found.lengths))
