"""Where one item stands among all that may come, for each of B requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask
from longtale.data.candidates import Slate
from longtale.data.query import Queries


@dataclass(frozen=True, eq=False)
class Standing:
    """How one item compares with what could stand in its place.

    **What a score is compared with.** A score alone has no zero: a source that lifts every item
    alike would seem to explain each of them, and explains why none is here rather than another. So
    all that is explained is a difference: what each part of the score adds to this item, less what
    it adds on average to all candidates, which are the items that may come, this one among them.
    What is excluded (seen, filtered) is not compared with, for it could not have come instead.
    An item that no source could score counts as 0, where calibration puts all that is not known;
    so do those outside of the shortlist of a large catalogue. Sums are kept: the shares add up to
    the score less the mean score, and the share of a source is the same whichever others speak.

    Args:
        sources: names of the S parts of the score.
        shares: float32 (S, B), what each adds to this item more than to the mean candidate.
        means: float32 (B,), the mean score of the candidates.
        ranks: int64 (B,), place of the item by its score among all that may come, from 1.
        n_candidates: int64 (B,), how many may come.
        is_scored: bool (B,), whether any source could score the item.
        weights: float32 (S', B), how far each of the first S' sources was trusted for it.
    """

    sources: tuple[str, ...]
    shares: Floats
    means: Floats
    ranks: NDArray[np.int64]
    n_candidates: NDArray[np.int64]
    is_scored: Mask
    weights: Floats

    @classmethod
    def of(cls, slate: Slate, row: int, *, unscored: float) -> Standing:
        """Read it off a slate that is as long as the catalogue.

        Args:
            slate: of B requests, all N items in the order of their scores.
            row: the item, which is in each of them.
            unscored: an item with this score or less was scored by no source.
        """
        items, scores = slate.candidates.items, slate.candidates.scores
        places = np.argmax(items == row, axis=1)
        own = (np.arange(len(items)), places)
        is_scored = scores > unscored  # padding is NaN, and so not
        n_candidates = (items >= 0).sum(axis=1)
        parts = np.where(is_scored, slate.contributions, np.float32(0))
        means = parts.sum(axis=-1) / n_candidates.astype(np.float32)  # (S, B)
        return cls(
            slate.sources,
            parts[:, *own] - means,
            means.sum(axis=0),
            places + 1,
            n_candidates,
            is_scored[own],
            slate.weights[:, *own],
        )

    @property
    def values(self) -> Floats:
        """How far the item's score lies above the mean of the candidates, float32 (B,)."""
        return self.shares.sum(axis=0)

    @staticmethod
    def concatenated(parts: Sequence[Standing]) -> Standing:
        """Put batches of the same parts of the score behind each other."""
        return Standing(
            parts[0].sources,
            *(
                np.concatenate([getattr(part, name) for part in parts], axis=-1)
                for name in ("shares", "means", "ranks", "n_candidates", "is_scored", "weights")
            ),
        )


Stand = Callable[[Queries], Standing]
"""Asks where one item stands for each of B requests."""
