"""What comes back: candidates of one source, and the slate that is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows, top_k

ROUNDING = np.float32(1e-6)
"""Scores that differ by less than this part of the largest are the same: float32 ends there."""
_VANISHING = np.float32(1e-18)
"""Of smaller numbers float32 loses the square."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best K items of each of B requests, best first, padding (-1, NaN) only at the end.

    Args:
        items: int32 (B, K).
        scores: float32 (B, K), never rising along a row.
    """

    items: Rows
    scores: Floats

    @classmethod
    def best(cls, scores: Floats, k: int, *, exclude: Mask | None = None) -> Candidates:
        """Choose the k best of a whole catalogue's scores.

        Args:
            scores: float32 (B, N); NaN and -inf are never chosen.
            k: how many; the answer is never wider than N.
            exclude: bool (B, N), items that must not return.
        """
        allowed = scores if exclude is None else np.where(exclude, np.float32(np.nan), scores)
        return cls(*top_k(allowed, k))

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class Scale:
    """Where the scores of S sources lie for B requests.

    Args:
        means: float32 (S, B), over the items that a source can score.
        deviations: float32 (S, B); 0 where a source tells no item from another.
    """

    means: Floats
    deviations: Floats

    @classmethod
    def of(cls, scores: Floats) -> Self:
        """Measure it on scores, float32 (S, B, N), NaN where a source cannot say."""
        means, deviations = np.zeros((2, *scores.shape[:-1]), dtype=np.float32)
        for place in np.ndindex(means.shape):
            said = scores[place]
            known = said[~np.isnan(said)]
            if len(known):
                means[place] = known.mean()
                known -= means[place]
                deviations[place] = np.sqrt(known @ known / np.float32(len(known)))
        tells = deviations > np.maximum(ROUNDING * np.abs(means), _VANISHING)
        return cls(means, np.where(tells, deviations, np.float32(0)))

    def replaced(self, sources: Mask, other: Scale) -> Scale:
        """Give the scale in which some sources, bool (S,), have that of another one."""
        means, deviations = self.means.copy(), self.deviations.copy()
        means[sources], deviations[sources] = other.means, other.deviations
        return Scale(means, deviations)

    def take(self, sources: NDArray[np.integer]) -> Scale:
        """Give the scale of some sources, in that order."""
        return Scale(self.means[sources], self.deviations[sources])


@dataclass(frozen=True, eq=False)
class Slate:
    """The ordered lists that are shown to B users.

    Args:
        candidates: items and final scores, best first.
        sources: names of the S parts that took part: retrievers, then what was turned or reranked.
        contributions: float32 (S, B, K), what each part added to each item's own score; they sum to
            it. A reranker may show less than that score: never more than at the places before.
        weights: float32 (S', B, K), how far each of the first S' sources was trusted.
        propensities: float32 (B, K), the probability that this item stood at this place; None where
            nothing was left to chance.
        degraded: names of the parts that failed; the others stood in for them.
    """

    candidates: Candidates
    sources: tuple[str, ...]
    contributions: Floats
    weights: Floats
    propensities: Floats | None = None
    degraded: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        contributions: Floats,
        *,
        sources: tuple[str, ...],
        weights: Floats | None = None,
        propensities: Floats | None = None,
        degraded: tuple[str, ...] = (),
    ) -> Slate:
        """Put chosen items together with what each part said of them.

        Args:
            candidates: the items to be shown, (B, K).
            contributions: float32 (S, B, N), what each part adds to each item's score.
            sources: names of the S parts.
            weights: float32 (S', B, K), trust in the first S' of them; None where it is the same
                for all and nobody asks.
            propensities: float32 (B, K).
            degraded: names of the parts that failed.
        """
        rows = np.maximum(candidates.items, 0)[None]  # padding has no contributions to speak of
        chosen = np.take_along_axis(contributions, rows, axis=2)
        if weights is None:
            weights = np.zeros((0, *candidates.items.shape), dtype=np.float32)
        return cls(candidates, sources, chosen, weights, propensities, degraded)
