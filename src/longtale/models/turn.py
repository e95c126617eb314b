"""What new events change in the histories that a model was fitted with, and for which items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Mask, offsets_of, segment_rows
from longtale.data.arrivals import Arrivals
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.models.closed_form import learned_items


@dataclass(frozen=True, eq=False)
class Turn:
    """The histories of those whom new events concern, as a fit saw them and as it would now.

    Besides who has new events this is whoever met an item that new events bring among those that
    take part, or push out from among them.

    Args:
        histories: of the V users concerned, with the new events.
        was: bool (n,), events of these that the old fit saw.
        remains: bool (n,), events that a fit would see now.
        counts: int64 (N,), events of each item before.
        knew: bool (N,), items that took part before.
        known: bool (N,), items that take part now.
        new: int (M,), those with new events, and items that came or went, sorted.
    """

    histories: Histories
    was: Mask
    remains: Mask
    counts: NDArray[np.int64]
    knew: Mask
    known: Mask
    new: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset, events: Arrivals, max_items: int) -> Self:
        """Look up who is concerned.

        Args:
            dataset: with the new events.
            events: those.
            max_items: how many items take part at most.
        """
        liked, items = events.liked, dataset.interactions.items
        is_new = np.bincount(liked.items, minlength=dataset.n_items)
        counts = dataset.item_counts - is_new
        knew, known = (learned_items(n, max_items) for n in (counts, dataset.item_counts))
        moved = knew != known
        met = dataset.interactions.users[moved[items]] if moved.any() else liked.users
        whole = dataset.histories(users := np.union1d(liked.users, met))
        was = _was_there(whole, users, liked) & knew[whole.items]
        new = np.flatnonzero(moved | (known & (is_new > 0)))
        return cls(whole, was, known[whole.items], counts, knew, known, new)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was learned."""
        return not len(self.new)

    @property
    def before(self) -> Histories:
        """What the old fit saw of these users."""
        return self.histories.where(self.was)

    @property
    def now(self) -> Histories:
        """What a fit would see of them now."""
        return self.histories.where(self.remains)

    @property
    def space(self) -> Mask:
        """Items that take part, or did: where the old fit and the new one can be compared."""
        return self.knew | self.known


def _was_there(histories: Histories, users: NDArray[np.integer], events: Arrivals) -> Mask:
    """Say which events of some users are older than those that came, bool (n,).

    Args:
        histories: of these users.
        users: int (V,), their rows, sorted.
        events: what came. Of events alike in user, item and time the last ones are new.
    """
    n_events = len(histories.items)
    owners = np.concatenate([segment_rows(histories.offsets), np.searchsorted(users, events.users)])
    items = np.concatenate([histories.items, events.items])
    _, keys = np.unique(owners * (items.max(initial=0) + 1) + items, return_inverse=True)
    if histories.times is not None and events.times is not None:
        _, moments = np.unique(np.append(histories.times, events.times), return_inverse=True)
        _, keys = np.unique(keys * (len(moments) + 1) + moments, return_inverse=True)
    n_keys = keys.max(initial=-1) + 1
    came = np.bincount(keys[n_events:], minlength=n_keys)
    last_first = keys[:n_events][::-1]
    order = np.argsort(last_first, kind="stable")
    starts = offsets_of(np.bincount(last_first, minlength=n_keys))
    places = np.empty(n_events, dtype=np.int64)
    places[order] = np.arange(n_events) - starts[last_first[order]]
    was: Mask = (places >= came[last_first])[::-1]
    return was
