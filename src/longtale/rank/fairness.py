"""A floor of exposure for each group of items or provider, kept over many users together.

A provider whose items are worth a little less than another's may stand at the top of no list,
since attention falls steeply with the rank, and worth does not. The floor gives each group a part
of the attention that its merit asks for (Singh and Joachims, 2018, arXiv:1802.07281). No single
list can be fair in that sense; so what is missing in one is made up in the next (Biega, Gummadi and
Weikum, 2018, arXiv:1805.01788).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from longtale.arrays import Rows
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.rank.groups import n_groups, shares
from longtale.rank.rerank import (
    Places,
    Values,
    each_greedily,
    relevance,
    reordered,
    usable,
)
from longtale.settings import Settings


class FairExposureSettings(Settings):
    """How much of the exposure that is due to a group it must get."""

    strength: float = Field(default=0.8, ge=0, le=1)
    """Floor of each group's exposure, as a part of the share that is due; 0 is no floor."""


@dataclass(frozen=True, eq=False)
class FairExposure:
    """Greedy re-ranking with a floor of exposure.

    At each place p, with attention v_p = 1 / log2(1 + p), a group g is behind where

        E_g < s d_g (Σ_h E_h + v_p)

    with E the exposure so far, d the share that is due and s the strength. If any group with a
    candidate is behind, the best candidate of all such groups is chosen; else the best of all. An
    item of several groups gives each an equal part of its exposure. This is the rule DetGreedy of
    Geyik, Ambler and Kenthapadi, 2019, arXiv:1905.01989, on exposure in place of counts.

    `rerank` answers each request from the same exposure so far; `amortised` hands it on.

    Args:
        settings: the strength.
        parts: float64 (N, G), which part of each item belongs to each group.
        due: float64 (G,), share of the exposure that is due to each group, such as its merit.
        given: float64 (G,), exposure that each group had so far.
    """

    settings: FairExposureSettings
    parts: sparse.csr_array
    due: Values
    given: Values

    @classmethod
    def of(cls, codes: Rows, due: NDArray[np.floating], settings: FairExposureSettings) -> Self:
        """Make it for items of these groups.

        Args:
            codes: int32 (N, M), groups of each item, -1 is none.
            due: (G,), what is due to each group, not negative; scaled to sum to 1.
            settings: the strength.

        Raises:
            DataError: `due` is not of G groups, or no share.
        """
        due = np.asarray(due, dtype=np.float64)
        if due.shape != (n_groups(codes),) or not (due >= 0).all() or not due.sum() > 0:
            raise DataError(
                f"what is due has the shape {due.shape} and the sum {due.sum()}; expected one "
                f"number that is not negative for each of {n_groups(codes)} groups, not all 0"
            )
        return cls(settings, shares(codes), due / due.sum(), np.zeros(len(due)))

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        worth = relevance(candidates)
        rows = np.maximum(candidates.items, 0)

        def objective_of(request: int) -> _Floor:
            own = self.parts[rows[request]].tocsc()
            groups = np.flatnonzero(np.diff(own.indptr))
            total = float(self.given.sum())
            return _Floor(
                worth[request],
                own[:, groups].toarray(),
                self.settings.strength * self.due[groups],
                self.given[groups],
                total,
            )

        return reordered(candidates, each_greedily(usable(candidates), k, objective_of))

    def after(self, slate: Candidates) -> Self:
        """Give the same rule once these slates were shown, (B, k)."""
        return replace(self, given=self.given + exposures(slate.items, self.parts))

    def amortised(
        self, queries: Queries, candidates: Candidates, k: int
    ) -> tuple[Candidates, Self]:
        """Answer request after request, each knowing what those before it showed.

        Returns:
            the slates, and the rule once they were shown.
        """
        now, slates = self, [Candidates(candidates.items[:0, :k], candidates.scores[:0, :k])]
        for request in range(len(candidates)):
            one = Candidates(candidates.items[[request]], candidates.scores[[request]])
            slates.append(now.rerank(queries.take(np.array([request])), one, k))
            now = now.after(slates[-1])
        items, scores = (
            np.concatenate([getattr(s, n) for s in slates]) for n in ("items", "scores")
        )
        return Candidates(items, scores), now


def attention(k: int) -> Values:
    """Give the attention that each of k places gets, 1 / log2(1 + p), float64 (k,)."""
    return np.asarray(1 / np.log2(2 + np.arange(k)))


def exposures(items: Rows, parts: sparse.csr_array) -> Values:
    """Give the attention that falls on each group in all lists together, float64 (G,).

    Args:
        items: int32 (B, k), the lists, -1 is padding.
        parts: float64 (N, G), which part of each item belongs to each group.
    """
    shown = items >= 0
    weights = np.broadcast_to(attention(items.shape[1]), items.shape)[shown]
    falls_on = np.bincount(items[shown], weights, minlength=parts.shape[0])
    return np.asarray(falls_on @ parts)


class _Floor:
    """The objective for one request: K candidates of the G groups that stand among them."""

    def __init__(
        self, worth: Values, parts: Values, floor: Values, given: Values, total: float
    ) -> None:
        self._worth, self._parts = worth, parts
        self._floor, self._given, self._total = floor, given, total
        self._first = 1 + np.ptp(worth) if len(worth) else 1.0  # more than any worth tells apart
        self._n_taken = 0

    def gains(self) -> Values:
        is_behind = self._given < self._floor * (self._total + self._attention)
        helps = (self._parts[:, is_behind] > 0).any(axis=1)
        return (self._worth + self._first * helps)[None]

    def take(self, places: Places) -> None:
        added = self._attention * self._parts[places[0]]
        self._given = self._given + added
        self._total += float(added.sum())
        self._n_taken += 1

    @property
    def _attention(self) -> float:
        return float(attention(self._n_taken + 1)[-1])
