"""Events that came after a dataset was made, and the dataset that holds them too."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Offsets, Rows, Times, offsets_of, runs
from longtale.data.dataset import Dataset
from longtale.data.event import EventKind
from longtale.data.interactions import Histories, Interactions


@dataclass(frozen=True, eq=False)
class Arrivals:
    """New events in the order in which they came.

    Args:
        users: int32 (n,), user rows; those from U on are the newcomers'.
        items: int32 (n,), item rows.
        kinds: int16 (n,), number of the event's kind in the dataset's `kinds`.
        weights: float32 (n,), interest that each event shows; 0 or less is a dismissal.
        values: float32 (n,), rating, price or seconds; NaN where there is none.
        times: int64 (n,), microseconds UTC; None where only the order is known.
        newcomers: ids of users whom the dataset does not know, in the order of their rows.
    """

    users: Rows
    items: Rows
    kinds: NDArray[np.int16]
    weights: Floats
    values: Floats
    times: Times | None = None
    newcomers: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        users: Sequence[int],
        items: Sequence[int],
        *,
        times: Sequence[int] | None = None,
        newcomers: tuple[str, ...] = (),
    ) -> Arrivals:
        """Build from rows, each event of weight 1, for tests and examples.

        Example:
            >>> len(Arrivals.of([0, 7], [2, 2]))
            2
        """
        return cls(
            np.array(users, dtype=np.int32),
            np.array(items, dtype=np.int32),
            np.zeros(len(users), dtype=np.int16),
            np.ones(len(users), dtype=np.float32),
            np.full(len(users), np.nan, dtype=np.float32),
            None if times is None else np.array(times, dtype=np.int64),
            newcomers,
        )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def liked(self) -> Arrivals:
        """Those that show interest: what models learn from."""
        return self.where(self.weights > 0)

    @property
    def dismissed(self) -> Arrivals:
        """Those that show the opposite."""
        return self.where(self.weights <= 0)

    def where(self, kept: Mask) -> Arrivals:
        """Keep the chosen events, bool (n,); the newcomers stay, perhaps with nothing."""
        return self.take(np.flatnonzero(kept))

    def take(self, chosen: NDArray[np.integer]) -> Arrivals:
        """Give the chosen events, in that order."""
        return replace(
            self,
            users=self.users[chosen],
            items=self.items[chosen],
            kinds=self.kinds[chosen],
            weights=self.weights[chosen],
            values=self.values[chosen],
            times=None if self.times is None else self.times[chosen],
        )

    def followed_by(self, later: Arrivals) -> Arrivals:
        """Put later events behind these; times are known only where both halves have them."""
        both = (self.times, later.times)
        times = [part for part in both if part is not None]
        return Arrivals(
            np.concatenate([self.users, later.users]),
            np.concatenate([self.items, later.items]),
            np.concatenate([self.kinds, later.kinds]),
            np.concatenate([self.weights, later.weights]),
            np.concatenate([self.values, later.values]),
            np.concatenate(times) if len(times) == len(both) else None,
            (*self.newcomers, *later.newcomers),
        )

    def without(self, user: int, newcomer: str) -> Arrivals:
        """Give the arrivals without what a user did, and without a newcomer's id.

        Args:
            user: their row.
            newcomer: their id, which stands among the newcomers or not; its row stays, nameless.
        """
        kept = self.where(self.users != user)
        anonymous = f"forgotten-{uuid.uuid4().hex}"
        names = tuple(anonymous if name == newcomer else name for name in kept.newcomers)
        return replace(kept, newcomers=names)

    def histories(self, user_rows: NDArray[np.integer]) -> Histories:
        """Give what these users did, oldest first, those of equal time as they came."""
        by_user, owners = self._by_user
        starts = np.searchsorted(owners, user_rows, side="left")
        counts = np.searchsorted(owners, user_rows, side="right") - starts
        found = by_user.take(runs(starts, counts))
        return Histories(offsets_of(counts), found.items, found.weights, found.times)

    @cached_property
    def _by_user(self) -> tuple[Arrivals, Rows]:
        keys = (self.users,) if self.times is None else (self.times, self.users)
        by_user = self.take(np.lexsort(keys))
        return by_user, by_user.users


def interest_of(kinds: Sequence[EventKind], numbers: NDArray[np.integer], values: Floats) -> Floats:
    """Give how much interest each event shows, float32 (n,), 0 or less for a dismissal.

    Args:
        kinds: the dataset's kinds, in its numbering.
        numbers: int (n,), kind of each event.
        values: float32 (n,); NaN, a missing value, is below nothing.
    """
    weights = np.array([kind.weight for kind in kinds], dtype=np.float32)[numbers]
    least = [-np.inf if kind.min_value is None else kind.min_value for kind in kinds]
    too_little = values < np.array(least, dtype=np.float32)[numbers]
    weights[too_little] = np.minimum(weights[too_little], 0)
    return weights


def appended(dataset: Dataset, events: Arrivals) -> Dataset:
    """Give the dataset that also holds these events, as if all had been read together.

    Users stay sorted and each user's events by time; of events of one time the new ones come last,
    and where only an order is known, they come behind all old ones. Impressions and tags stay.

    Args:
        dataset: what was known; it is left as it is.
        events: what came, on items of the catalogue.

    Example:
        >>> from longtale.data.synthetic import dataset_of
        >>> events = Arrivals.of([0, 2], [1, 0], newcomers=("z",))
        >>> later = appended(dataset_of([[0, 1], [1]]), events)
        >>> later.interactions.histories.offsets.tolist(), later.interactions.items.tolist()
        ([0, 3, 4, 5], [0, 1, 1, 1, 0])
    """
    n_users = dataset.n_users + len(events.newcomers)
    users, profiles = dataset.users, dataset.profiles
    if events.newcomers:
        users = users.extended(events.newcomers)
        profiles = _with_empty_rows(profiles, len(events.newcomers))
    return replace(
        dataset,
        users=users,
        profiles=profiles,
        interactions=_joined(dataset.interactions, events.liked, n_users),
        dismissals=_joined(dataset.dismissals, events.dismissed, n_users),
    )


def _with_empty_rows(profiles: pl.DataFrame, n_more: int) -> pl.DataFrame:
    if profiles.width:
        return pl.concat([profiles, profiles.clear(n_more)])
    return pl.DataFrame(height=len(profiles) + n_more) if len(profiles) else profiles


def _joined(old: Interactions, events: Arrivals, n_users: int) -> Interactions:
    histories = old.histories
    n_newcomers = n_users - len(histories)
    offsets = np.append(histories.offsets, np.repeat(histories.offsets[-1:], n_newcomers))
    times = histories.times
    if times is None and not len(old) and events.times is not None:
        times = np.empty(0, dtype=np.int64)
    if not len(events):
        same = replace(histories, offsets=offsets, times=times)
        return replace(old, histories=same) if n_newcomers else old
    new, users = events._by_user if times is not None else replace(events, times=None)._by_user
    places = _places(offsets, times, new)
    counts = np.bincount(users, minlength=n_users)
    joined = Histories(
        offsets + offsets_of(counts),
        np.insert(histories.items, places, new.items),
        np.insert(histories.weights, places, new.weights),
        None if times is None or new.times is None else np.insert(times, places, new.times),
    )
    kinds = np.insert(old.kinds, places, new.kinds)
    return Interactions(joined, kinds, np.insert(old.values, places, new.values))


def _places(offsets: Offsets, times: Times | None, new: Arrivals) -> NDArray[np.int64]:
    """Say before which old event each new one stands, (n,)."""
    starts, ends = offsets[new.users], offsets[new.users + 1]
    places = ends.copy()
    if times is None or new.times is None or not len(times):
        return places
    is_early = (ends > starts) & (times[ends - 1] > new.times)  # seldom: events come late
    for event in np.flatnonzero(is_early):
        own = times[starts[event] : ends[event]]
        places[event] = starts[event] + np.searchsorted(own, new.times[event], side="right")
    return places
