"""How known each item is: head, torso and tail by share of interactions, and new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.data.dataset import Dataset
from longtale.schema import Band
from longtale.settings import Settings

BANDS: tuple[Band, ...] = (Band.HEAD, Band.TORSO, Band.TAIL, Band.NEW)
"""The band of each code that `bands` gives."""


class BandSettings(Settings):
    """Where the head ends and the tail begins."""

    head_share: float = Field(default=0.5, ge=0, le=1)
    """Share of all interactions that the most popular items, the head, have together."""
    torso_share: float = Field(default=0.3, ge=0, le=1)
    """Share of all interactions that the items after the head, the torso, have together."""


def bands(dataset: Dataset, settings: BandSettings | None = None) -> NDArray[np.int8]:
    """Give the popularity band of each item as a code, int8 (N,): `BANDS[code]` is its name.

    Items are taken from the most popular down. The head is those that begin before half of all
    interactions is reached, the torso those that begin before 80 %, the tail all others that were
    touched; an item without any interaction is new. Items of equal count are in one band, the
    best that any of them reaches, so that no band depends on the order of the catalogue.

    Args:
        dataset: what was known at the cut, never more: bands are made from training data.
        settings: the two shares.

    Example:
        >>> from longtale.data.synthetic import dataset_of
        >>> dataset = dataset_of([[0], [0], [0, 1], [1, 2]], n_items=4)
        >>> [str(BANDS[code]) for code in bands(dataset)]
        ['head', 'torso', 'tail', 'new']
    """
    settings = BandSettings() if settings is None else settings
    values, inverse, n_items = np.unique(
        -dataset.item_counts, return_inverse=True, return_counts=True
    )
    interactions = -values * n_items
    begins = np.cumsum(interactions) - interactions  # interactions of all more popular items
    total = len(dataset.interactions)
    head_end = settings.head_share * total
    torso_end = head_end + settings.torso_share * total
    codes = np.select([values == 0, begins < head_end, begins < torso_end], [3, 0, 1], default=2)
    return codes[inverse].astype(np.int8)
