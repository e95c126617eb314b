"""A dataset without something: what is still known when events, items or users are withheld.

All of these keep the users' and items' rows, so that one numbering serves every fold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Mask, Times
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories, Interactions

_NEVER = np.iinfo(np.int64).max


def without_last_events(
    dataset: Dataset, user_rows: NDArray[np.integer]
) -> tuple[Dataset, Histories]:
    """Take the last interaction of each chosen user away; give the rest, and what was taken.

    Where times are known, the dismissals and impressions of these users at or after the event that
    was taken go too. Words of tags stay: they say nothing about who said them.

    Args:
        dataset: each chosen user has at least one interaction in it.
        user_rows: int (B,), users, each at most once.

    Returns:
        the dataset without these events, and B histories of one event each.
    """
    histories = dataset.interactions.histories
    kept = np.ones(len(dataset.interactions), dtype=np.bool_)
    kept[histories.offsets[user_rows + 1] - 1] = False
    rest = dataset.with_interactions(kept)
    taken = histories.take(user_rows).last(1)
    if taken.times is None:
        return rest, taken
    # One entry more than users: an anonymous impression has row -1 and stays.
    first_unknown = np.full(dataset.n_users + 1, _NEVER, dtype=np.int64)
    first_unknown[user_rows] = taken.times
    return _cut_per_user(rest, first_unknown), taken


def some_items(
    dataset: Dataset,
    share: float,
    rng: np.random.Generator,
    *,
    least: int = 0,
    rather: Mask | None = None,
) -> Mask:
    """Draw a share of the items that have events, bool (N,).

    Args:
        dataset: all that is known.
        share: part of all items with events.
        rng: draws them.
        least: so many are drawn at least, if there are so many.
        rather: bool (N,), where they are drawn from; None, or none with events, is all.
    """
    touched = dataset.item_counts > 0
    named = touched if rather is None else touched & rather
    drawn = rng.permutation(np.flatnonzero(named if named.any() else touched))
    mask = np.zeros(dataset.n_items, dtype=np.bool_)
    mask[drawn[: max(least, round(share * int(touched.sum())))]] = True
    return mask


def without_items(dataset: Dataset, hidden: Mask) -> Dataset:
    """Take away every trace of some items but their rows and their own attributes.

    Interactions, dismissals, impressions and users' words about them go: an item that nobody has
    met has none of these.

    Args:
        dataset: anything.
        hidden: bool (N,), which items.
    """
    words = dataset.tags.where(~hidden[dataset.tags.items])
    return replace(
        dataset,
        catalog=dataset.catalog.with_tags(words) if len(dataset.tags) else dataset.catalog,
        tags=words,
        interactions=dataset.interactions.where(~hidden[dataset.interactions.items]),
        dismissals=dataset.dismissals.where(~hidden[dataset.dismissals.items]),
        impressions=dataset.impressions.where(~hidden[dataset.impressions.items]),
    )


def without_users(dataset: Dataset, held_out: Mask) -> Dataset:
    """Take away every event of some users; their rows and profiles stay, and undated words of tags.

    Args:
        dataset: anything.
        held_out: bool (U,), which users.
    """
    shown_to_them = np.append(held_out, False)[dataset.impressions.users]  # row -1 is nobody
    return replace(
        dataset,
        interactions=dataset.interactions.where(~held_out[dataset.interactions.users]),
        dismissals=dataset.dismissals.where(~held_out[dataset.dismissals.users]),
        impressions=dataset.impressions.where(~shown_to_them),
    )


def _cut_per_user(dataset: Dataset, first_unknown: Times) -> Dataset:
    shown = dataset.impressions
    if shown.times is not None:
        shown = shown.where(shown.times < first_unknown[shown.users])
    dismissals = _earlier(dataset.dismissals, first_unknown)
    return replace(dataset, dismissals=dismissals, impressions=shown)


def _earlier(events: Interactions, first_unknown: Times) -> Interactions:
    if events.times is None:
        return events
    return events.where(events.times < first_unknown[events.users])
