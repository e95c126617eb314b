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
    """How much of the exposure that is due to a group it gets, and how hard it is striven for."""

    strength: float = Field(default=0.3, ge=0, le=1)
    """0 keeps the order, 1 serves the group that is furthest behind before anything else."""
    floor: float = Field(default=1.0, ge=0, le=1)
    """Floor of each group's exposure, as a part of the share that is due; 0 is no floor."""


@dataclass(frozen=True, eq=False)
class FairExposure:
    """Greedy re-ranking towards a floor of exposure.

        argmax_i  (1 - s) r_i + 2 s max_{g of i} n_g
        n_g = max(0, 1 - E_g / (f d_g (Σ_h E_h + v_p)))

    with r the relevance, s the strength, v_p = 1 / log2(1 + p) the attention at the place, E the
    exposure so far, d the share that is due and f the floor: n_g says which part of its floor a
    group lacks, and 2 is the range of relevance. An item of several groups gives each an equal part
    of its exposure. That need grows until it is met makes it a proportional controller, as FairCo
    is (Morik, Singh, Hong and Joachims, 2020, arXiv:2005.14713). To give every group that is behind
    the next place outright (DetGreedy of Geyik et al., 2019, arXiv:1905.01989) was far dearer with
    many groups: with 611 brands of amazon-scientific 13 % of nDCG@10 for less equity than this
    gives for 1.1 %.

    `rerank` answers each request from the same exposure so far; `amortised` hands it on.

    Args:
        settings: strength and floor.
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
            settings: strength and floor.

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

        def objective_of(request: int) -> _Need:
            own = self.parts[rows[request]].tocsc()
            groups = np.flatnonzero(np.diff(own.indptr))
            given = self.given[groups]
            return _Need(worth[request], own[:, groups].toarray(), self.due[groups], given, self)

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


class _Need:
    """The objective for one request: K candidates of the G groups that stand among them."""

    def __init__(
        self, worth: Values, parts: Values, due: Values, given: Values, rule: FairExposure
    ) -> None:
        self._worth = (1 - rule.settings.strength) * worth
        self._weight = 2 * rule.settings.strength
        self._parts, self._floor, self._given = parts, rule.settings.floor * due, given
        self._total = float(rule.given.sum())
        self._n_taken = 0

    def gains(self) -> Values:
        floors = self._floor * (self._total + self._attention)
        met = np.divide(self._given, floors, out=np.ones_like(floors), where=floors > 0)
        needs = (self._parts > 0) * np.maximum(1 - met, 0)
        return (self._worth + self._weight * needs.max(axis=1, initial=0))[None]

    def take(self, places: Places) -> None:
        added = self._attention * self._parts[places[0]]
        self._given = self._given + added
        self._total += float(added.sum())
        self._n_taken += 1

    @property
    def _attention(self) -> float:
        return float(attention(self._n_taken + 1)[-1])
