"""Slates whose groups come in the proportions in which the user consumed them.

Somebody who saw 70 dramas and 30 comedies gets seven and three, where a ranking by score alone
would give ten dramas (Steck, 2018, Calibrated Recommendations).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field
from scipy import sparse

from longtale.arrays import Rows
from longtale.data.candidates import Candidates
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.rank.groups import shares
from longtale.rank.rerank import (
    Places,
    Values,
    each_greedily,
    relevance,
    reordered,
    usable,
)
from longtale.settings import Settings


class CalibratedSettings(Settings):
    """How closely a slate follows the groups of the user's history."""

    strength: float = Field(default=0.5, ge=0, le=1)
    """0 keeps the order, 1 looks at nothing but the groups."""
    smoothing: float = Field(default=0.01, gt=0, lt=1)
    """Part of the user's own distribution that is mixed into the slate's, so that a group that is
    missing from the slate costs much but not without end."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Calibration of a slate I to a user's history.

        argmax_I  (1 - s) Σ_{i in I} r_i - s KL(p, q_I)
        KL(p, q) = Σ_g p_g log(p_g / ((1 - α) q_g + α p_g))

    with r the relevance, s the strength, α the smoothing, p_g the part of the user's history that
    belongs to group g, each event by its weight, and q_g the part of the slate that does. An item
    of m groups belongs to each by 1/m; one of no group counts in the length of the slate only. Who
    has no history with groups keeps the order. Source: Steck, 2018.

    Args:
        settings: strength and smoothing.
        parts: float64 (N, G), which part of each item belongs to each group.
    """

    settings: CalibratedSettings
    parts: sparse.csr_array

    @classmethod
    def of(cls, codes: Rows, settings: CalibratedSettings) -> Self:
        """Make it for items of these groups, int32 (N, M), -1 is none."""
        return cls(settings, shares(codes))

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        wanted = group_distributions(queries.histories, self.parts)
        worth = relevance(candidates)
        rows = np.maximum(candidates.items, 0)

        def objective_of(request: int) -> _Calibration | None:
            own = wanted.indices[wanted.indptr[request] : wanted.indptr[request + 1]]
            if not len(own):
                return None
            target = wanted.data[wanted.indptr[request] : wanted.indptr[request + 1]]
            parts = self.parts[rows[request]].tocsc()[:, own].toarray()  # (K, G of this user)
            return _Calibration(worth[request], parts, target, self.settings)

        return reordered(candidates, each_greedily(usable(candidates), k, objective_of))


def group_distributions(histories: Histories, parts: sparse.csr_array) -> sparse.csr_array:
    """Give which part of each history belongs to each group, float64 (B, G).

    Args:
        histories: of B users; events of weight 0 or less and items that came after the groups were
            made count nothing.
        parts: float64 (N, G), which part of each item belongs to each group.

    Returns:
        rows that sum to 1, or have no entry where nothing is known.
    """
    counts = histories.where((histories.items < parts.shape[0]) & (histories.weights > 0))
    profile = sparse.csr_array(counts.matrix(parts.shape[0]).astype(np.float64) @ parts)
    totals = profile.sum(axis=1)
    scale = np.divide(1, totals, out=np.zeros_like(totals), where=totals > 0)
    profile.data *= np.repeat(scale, np.diff(profile.indptr))
    return profile


def divergence(wanted: Values, found: Values, smoothing: float) -> Values:
    """Give KL(wanted, found), found smoothed by wanted; over the last axis.

    Args:
        wanted: float64 (G,), positive.
        found: float64 (..., G).
        smoothing: α, between 0 and 1.

    Example:
        >>> round(float(divergence(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 0.01)), 6)
        0.0
    """
    smoothed = (1 - smoothing) * found + smoothing * wanted
    return np.asarray((wanted * np.log(wanted / smoothed)).sum(axis=-1))


class _Calibration:
    """The objective for one request: K candidates, the G groups that the user knows."""

    def __init__(
        self, worth: Values, parts: Values, wanted: Values, settings: CalibratedSettings
    ) -> None:
        self._worth = (1 - settings.strength) * worth
        self._parts, self._wanted, self._settings = parts, wanted, settings
        self._taken = np.zeros(len(wanted))
        self._n_taken = 0

    def gains(self) -> Values:
        found = (self._taken + self._parts) / (self._n_taken + 1)
        costs = divergence(self._wanted, found, self._settings.smoothing)
        return (self._worth - self._settings.strength * costs)[None]

    def take(self, places: Places) -> None:
        self._taken = self._taken + self._parts[places[0]]
        self._n_taken += 1
