"""A dataset that no longer knows a user."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import polars as pl

from longtale.data.dataset import Dataset
from longtale.data.interactions import Interactions
from longtale.data.vocabulary import Vocabulary


def without_user(dataset: Dataset, row: int) -> Dataset:
    """Give the dataset without what one user did, said and is called; all rows stay where they are.

    The row is empty from then on, under a random id that says nothing of who it was.

    Example:
        >>> from longtale.data.synthetic import dataset_of
        >>> left = without_user(dataset_of([[0, 1], [1]]), 0)
        >>> left.interactions.histories.lengths.tolist()
        [0, 1]
    """
    ids = dataset.users.ids.to_list()
    ids[row] = f"forgotten-{uuid.uuid4().hex}"
    profiles = dataset.profiles
    if profiles.width:
        is_row = pl.int_range(pl.len()) == row
        profiles = profiles.with_columns(
            pl.when(~is_row).then(pl.col(name)).alias(name) for name in profiles.columns
        )
    shown = dataset.impressions
    return replace(
        dataset,
        users=Vocabulary.of(ids, noun=dataset.users.noun),
        interactions=_without(dataset.interactions, row),
        dismissals=_without(dataset.dismissals, row),
        impressions=shown.where(shown.users != row),
        profiles=profiles,
    )


def _without(events: Interactions, row: int) -> Interactions:
    kept = np.ones(len(events), dtype=np.bool_)
    offsets = events.histories.offsets
    kept[offsets[row] : offsets[row + 1]] = False
    return events.where(kept)
