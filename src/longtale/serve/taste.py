"""What a user asks for more or less of: the taste profile that they can read and edit."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from longtale.arrays import Floats
from longtale.blend.calibrate import standardised
from longtale.recommend.item_vectors import DISLIKE_WEIGHT, ItemVectors
from longtale.settings import Settings

STRENGTH = 0.5
"""What the words of a taste add to the score of an item one deviation nearer to them than most."""


class Taste(Settings):
    """What a user asked for in words, and which items they never want to see."""

    more: tuple[str, ...] = Field(default=(), max_length=50)
    """What they want more of, each a few words: `slow-burn science fiction`."""
    less: tuple[str, ...] = Field(default=(), max_length=50)
    """What they want less of."""
    muted: tuple[str, ...] = Field(default=(), max_length=5000)
    """Ids of items that never come."""

    @property
    def has_words(self) -> bool:
        """Whether it says anything in words."""
        return bool(self.more or self.less)


def wishes(taste: Taste, vectors: ItemVectors) -> Floats:
    """Give what a taste adds to the score of each item, float32 (N,).

    Each wish is a direction in the space of the item vectors; those for more are added, those for
    less are taken away at half their weight, as in a wish in one sentence. An item without text
    gets nothing; nor does any where nothing is said in words.
    """
    if not taste.has_words:
        return np.zeros(len(vectors.vectors), dtype=np.float32)
    directions = vectors.of_words([*taste.more, *taste.less])
    signs = np.repeat([1, -DISLIKE_WEIGHT], [len(taste.more), len(taste.less)])
    scores = vectors.vectors @ (signs.astype(np.float32) @ directions)
    scores[~vectors.vectors.any(axis=1)] = np.nan
    return np.float32(STRENGTH) * standardised(scores[None, None])[0, 0]
