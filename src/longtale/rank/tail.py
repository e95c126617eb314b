"""The long-tail dial: how much less known items are lifted, for one answer, without training.

An item that many know is shown more than its worth, because it was shown more before. Weighing by
the inverse of the propensity to be known corrects that; on the log scale, on which scores add up,
it is one term per item:

    score'(u, i) = score(u, i) + s λ σ_u b_i
    b_i = -log sigmoid(β (log(1 + n_i) - log(1 + m)))

with s the dial, λ the reach of the dial, σ_u the deviation of the request's scores over the
catalogue, n_i the interactions of the item and m the count below which the tail begins. b falls to
0 for what is well known and rises with -β log(1 + n) in the tail. It is made once; in an answer it
costs one multiplication and one addition for each item. The log-sigmoid propensity is that of
Onishi, Hayashi and Kamigaito, 2025, arXiv:2512.20896, who weigh the columns of a linear model by it
while training; added to the scores of any model, it can move from answer to answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.rank.rerank import Places, Values, greedy, relevance, reordered, usable
from longtale.settings import Settings

_RELEVANCE = 2.25
"""Deviations over the catalogue in one unit of relevance over 100 candidates: between the first
and the middle one of a blend on amazon-beauty lie 4.5 (quartiles 3.5 to 5.7), which are two."""


class LongTailSettings(Settings):
    """How much less known items are lifted."""

    strength: float = Field(default=0.0, ge=0, le=1)
    """The dial: 0 goes by the score alone, 1 fills the slate with as much of the tail as can be
    answered for; `benchmarks/tail_frontier.py` prints what a turn costs on your data."""
    reach: float = Field(default=3.0, gt=0, le=100)
    """Deviations of score that the full dial gives for each unit of inverse log-propensity."""
    slope: float = Field(default=2.0, gt=0, le=100)
    """How sharply propensity falls with the log of an item's count."""
    tail_share: float = Field(default=0.8, ge=0, le=1)
    """Part of the items that are the tail; where it begins, propensity is one half."""
    depth: int = Field(default=100, ge=1)
    """How many of the best items of a request can be lifted."""


@dataclass(frozen=True, eq=False)
class LongTail:
    """The dial for N items.

    Args:
        settings: the dial, its reach and the shape of the propensity.
        lift: float32 (N,), b_i >= 0.

    Example:
        >>> dial = LongTail.fit(np.array([99, 9, 0]), LongTailSettings(strength=0.5))
        >>> dial.contribution(np.float32([[3.0, 2.0, 1.0]])).round(1)
        array([[0. , 0.8, 5.7]], dtype=float32)
    """

    settings: LongTailSettings
    lift: Floats

    @classmethod
    def fit(cls, counts: NDArray[np.integer], settings: LongTailSettings) -> Self:
        """Make the dial from what was known at the cut.

        Args:
            counts: (N,), interactions of each item; an item without any is lifted most.
            settings: the dial, its reach and the shape of the propensity.
        """
        known = np.log1p(counts.astype(np.float64))
        border = np.quantile(known, settings.tail_share, method="lower") if len(known) else 0.0
        lift = np.logaddexp(0, -settings.slope * (known - border))
        return cls(settings, lift.astype(np.float32))

    def turned(self, strength: float) -> Self:
        """Give the same dial turned to another strength, 0 to 1; it costs nothing."""
        own = self.settings.model_dump() | {"strength": strength}
        return replace(self, settings=LongTailSettings.parse(own))

    def contribution(self, scores: Floats, *, exclude: Mask | None = None) -> Floats:
        """Give what the dial adds to each item's score: one more source of the blend.

        Args:
            scores: float32 (B, N), NaN or -inf where nothing could be said.
            exclude: bool (B, N), items that cannot come, and so are none of the best; None is none.

        Returns:
            float32 (B, N), >= 0; 0 where an item is not among the best, and everywhere at
            strength 0.
        """
        lifted = np.zeros_like(scores)
        if self.settings.strength == 0 or not scores.size:
            return lifted
        best = Candidates.best(scores, self.settings.depth, exclude=exclude).items
        rows, places = np.nonzero(best >= 0)
        columns = best[rows, places]
        scale = np.float32(self.settings.strength * self.settings.reach) * _deviations(scores)
        lifted[rows, columns] = scale[rows] * self.lift[columns]
        return lifted

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        """Turn the dial where only candidates are known, as behind a ranker.

        The deviation over the catalogue is then estimated from the candidates' own spread. See
        `contribution`, which knows it.
        """
        scale = self.settings.strength * self.settings.reach / _RELEVANCE
        is_best = np.arange(candidates.items.shape[1]) < self.settings.depth
        worth = relevance(candidates) + scale * self.lift[candidates.items] * is_best
        return reordered(candidates, greedy(usable(candidates), k, _Fixed(worth)))


def _deviations(scores: Floats) -> Floats:
    """Give the deviation of each request's finite scores, (B,)."""
    known = np.isfinite(scores)
    n_known = np.maximum(known.sum(axis=1), 1).astype(np.float32)
    centred = np.where(known, scores, np.float32(0))
    centred -= (centred.sum(axis=1) / n_known)[:, None]
    centred *= known
    return np.sqrt(np.vecdot(centred, centred) / n_known)


class _Fixed:
    """An objective to which what was taken is all the same."""

    def __init__(self, worth: Values) -> None:
        self._worth = worth

    def gains(self) -> Values:
        return self._worth

    def take(self, places: Places) -> None:
        pass
