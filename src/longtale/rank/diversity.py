"""Slates whose items are not all alike: maximal marginal relevance, and a determinantal process.

Both weigh the relevance of an item (`rank.rerank.relevance`) against its likeness to what stands
before it, by the cosine of item vectors. MMR looks at the nearest of them only; the determinantal
point process (DPP) at the volume that all of them span, so it also sees that an item is a mixture
of two others. An item with a zero vector, one without words, is like no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, unit_rows
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.rank.rerank import Places, Values, greedy, relevance, reordered, usable
from longtale.settings import Settings

_LEAST_VOLUME = 1e-10
"""Below this an item adds no direction; rounding decides what is left (Chen et al., 2018)."""


class MMRSettings(Settings):
    """How much diversity counts by maximal marginal relevance."""

    strength: float = Field(default=0.3, ge=0, le=1)
    """0 keeps the order, 1 looks at nothing but likeness to what stands before."""


class DPPSettings(Settings):
    """How much diversity counts by a determinantal point process."""

    strength: float = Field(default=0.3, ge=0, le=1)
    """0 keeps the order, 1 looks at nothing but the volume that the items span."""


@dataclass(frozen=True, eq=False)
class MMR:
    """Maximal marginal relevance.

        argmax_i  (1 - s) r_i - s max_{j in slate} cos(v_i, v_j)

    with r the relevance, s the strength and v the item vectors; the maximum over an empty slate
    is 0. Source: Carbonell and Goldstein, 1998 (their λ is 1 - s).

    Args:
        settings: the strength.
        vectors: float32 (N, D), unit rows; a zero row is like no other.
    """

    settings: MMRSettings
    vectors: Floats

    @classmethod
    def of(cls, vectors: Floats, settings: MMRSettings) -> Self:
        """Make it for items with these vectors of any length, float32 (N, D)."""
        return cls(settings, unit_rows(vectors))

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        objective = _Marginal(candidates, self.vectors, self.settings.strength)
        return reordered(candidates, greedy(usable(candidates), k, objective))


@dataclass(frozen=True, eq=False)
class DPP:
    """Greedy maximum a posteriori of a determinantal point process.

        (1 - s) Σ_{i in slate} r_i + s log det S_slate,    S_ij = (1 + cos(v_i, v_j)) / 2, S_ii = 1

    with r the relevance and s the strength. Each step adds log d_i², where d_i² is the part of item
    i's direction that the slate does not span yet; a Cholesky factor that grows by one row keeps it
    up to date, O(K k) for each place and request instead of O(K k³). Items whose volume is used up
    stand last, the more relevant first. Source: Chen, Zhang and Zhou, 2018, arXiv:1709.05135.

    Args:
        settings: the strength.
        vectors: float32 (N, D), unit rows; a zero row is like no other.
    """

    settings: DPPSettings
    vectors: Floats

    @classmethod
    def of(cls, vectors: Floats, settings: DPPSettings) -> Self:
        """Make it for items with these vectors of any length, float32 (N, D)."""
        return cls(settings, unit_rows(vectors))

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        objective = _Volume(candidates, self.vectors, self.settings.strength, k)
        return reordered(candidates, greedy(usable(candidates), k, objective))


class _Marginal:
    """The objective of MMR."""

    def __init__(self, candidates: Candidates, vectors: Floats, strength: float) -> None:
        self._worth = (1 - strength) * relevance(candidates)
        self._strength = strength
        self._own = vectors[candidates.items]  # (B, K, D)
        self._nearest: Values | None = None

    def gains(self) -> Values:
        if self._nearest is None:
            return self._worth
        return self._worth - self._strength * self._nearest

    def take(self, places: Places) -> None:
        cosines = _cosines(self._own, places)
        self._nearest = cosines if self._nearest is None else np.maximum(self._nearest, cosines)


class _Volume:
    """The objective of the DPP; `_rows` are those of the Cholesky factor, (B, K, k)."""

    def __init__(self, candidates: Candidates, vectors: Floats, strength: float, k: int) -> None:
        self._worth = (1 - strength) * relevance(candidates)
        self._strength = strength
        self._own = vectors[candidates.items]  # (B, K, D)
        n_requests, width = candidates.items.shape
        self._rows = np.zeros((n_requests, width, min(k, width)))
        self._left = np.ones((n_requests, width))
        self._n_taken = 0

    def gains(self) -> Values:
        return self._worth + self._strength * np.log(np.maximum(self._left, _LEAST_VOLUME))

    def take(self, places: Places) -> None:
        requests = np.arange(len(places))
        alike = (1 + _cosines(self._own, places)) / 2
        taken = self._rows[requests, places, : self._n_taken]
        spanned = np.einsum("bkt,bt->bk", self._rows[:, :, : self._n_taken], taken)
        left = np.maximum(self._left[requests, places], _LEAST_VOLUME)[:, None]
        added = (alike - spanned) / np.sqrt(left)
        # What adds no direction itself must not wipe out, by rounding, what others still add.
        added[self._left[requests, places] <= _LEAST_VOLUME] = 0
        self._rows[:, :, self._n_taken] = added
        self._left = self._left - added**2
        self._n_taken += 1


def _cosines(own: Floats, places: Places) -> Values:
    """Give how like each candidate is to the one at a column, float64 (B, K)."""
    requests = np.arange(len(places))
    products = own @ own[requests, places][:, :, None]  # (B, K, 1)
    return products[:, :, 0].astype(np.float64)
