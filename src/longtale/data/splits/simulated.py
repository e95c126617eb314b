"""A fold in which some items are new, as often wanted as they would be in life."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from longtale.data.dataset import Dataset
from longtale.data.splits.folds import Fold, last_item_fold
from longtale.data.splits.withheld import some_items, without_items, without_last_events


def simulated_cold(
    dataset: Dataset, *, share: float, n_users: int, rng: np.random.Generator
) -> Fold:
    """Hide some items from all models, and ask users for their last event: new or known by chance.

    So new items are wanted as often as they are in life where they make up `share` of the items.

    Args:
        dataset: all that is known.
        share: part of the items with events that is hidden.
        n_users: at most this many users are asked.
        rng: draws items and users.

    Returns:
        the fold; only items with events are ranked, since others were never on offer.
    """
    hidden = some_items(dataset, share, rng, least=1)
    users = rng.permutation(np.flatnonzero(dataset.interactions.histories.lengths >= 2))
    users = np.sort(users[:n_users])
    rest, taken = without_last_events(dataset, users)
    fold = last_item_fold(without_items(rest, hidden), rest, users=users, taken=taken)
    return replace(fold, ranked=dataset.item_counts > 0)
