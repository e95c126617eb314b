"""The gated sparse-dense hybrid: how far to trust each source, for this user and this item.

    score(u, i) = Σ_s w_s · g_s(u, i) · (z_s(u, i) + δ_s · [n_i = 0])
    g_s(u, i) = exp(a_s · φ_i + b_s · φ_u + c_s · φ_us)

with z_s the standardised scores of source s, w its weight in `ConvexBlend`, φ the evidence (how
often the item was touched and how old it is, how long the history is and how long ago it ended,
how sure the source is: `evidence.py`), and δ what lifts items that nobody has met to where their
words would put them. All slopes 0 is the convex combination; a constant gate over text tower,
attention profile and collaborative score is the fixed formula (`fixed.py`). A gate that
multiplies is read as factors, stays positive, and falls into a part per item that is computed once
and a part per request. In place of a constraint that trust in behaviour must rise with n_i, the
evidence decides: standardised scores of rare items are small already.

Newcomers keep weights of their own, which no evidence on behaviour bends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from longtale.arrays import Floats, Mask, Rows
from longtale.blend.calibrate import standardised, unheard
from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.evidence import (
    ITEM_EVIDENCE,
    REQUEST_EVIDENCE,
    item_evidence,
    request_evidence,
    sureness,
    widened,
)
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.query import Queries

N_SLOPES = len(ITEM_EVIDENCE) + len(REQUEST_EVIDENCE) + 1
"""Evidence of the item, evidence of the request, and the source's own sureness."""
_OF_ITEM = slice(0, len(ITEM_EVIDENCE))
_OF_REQUEST = slice(len(ITEM_EVIDENCE), N_SLOPES - 1)


@dataclass(frozen=True, eq=False)
class GatedBlend:
    """A fitted gate over S sources.

    Args:
        convex: the weights that the gate bends.
        slopes: float32 (S, 6), change of a source's log weight with each piece of evidence.
        shifts: float32 (S,), what is added to a source's standardised scores of new items.
        items: float32 (N, 3), `item_evidence`.
    """

    convex: ConvexBlend
    slopes: Floats
    shifts: Floats
    items: Floats

    @classmethod
    def flat(cls, convex: ConvexBlend, items: Floats) -> Self:
        """Give the gate that changes nothing."""
        n_sources = len(convex.weights)
        slopes = np.zeros((n_sources, N_SLOPES), dtype=np.float32)
        return cls(convex, slopes, np.zeros(n_sources, dtype=np.float32), items)

    @property
    def settings(self) -> BlendSettings:
        """What it was fitted with."""
        return self.convex.settings

    def contributions(self, queries: Queries, scores: Floats) -> Floats:
        known, new = self.convex.halves_of(queries)
        weights = known + new
        shares = np.zeros_like(scores)
        of_items, is_new = self._of_items(scores.shape[-1])
        requests = request_evidence(queries)
        for source in np.flatnonzero(weights.any(axis=1)):
            standard = standardised(scores[[source]])[0]  # (B, N)
            shift = self.shifts[source]
            bent = known[source] * self._bent(source, requests, sureness(standard))
            if shift and is_new.any():
                standard[:, is_new] += shift * ~np.isnan(scores[source][:, is_new])
            gate = np.outer(bent, of_items[source]) + new[source][:, None]
            shares[source] = np.multiply(standard, gate, out=standard)
        return unheard(shares, scores, weights)

    def uses(self, queries: Queries) -> Mask:
        return self.convex.uses(queries)

    def weights_at(self, queries: Queries, scores: Floats, items: Rows) -> Floats:
        known, new = self.convex.halves_of(queries)
        of_items, _ = self._of_items(scores.shape[-1])
        requests = request_evidence(queries)
        weights = np.zeros((len(scores), *items.shape), dtype=np.float32)
        for source in np.flatnonzero(self.uses(queries)):
            sure = sureness(standardised(scores[[source]])[0])
            bent = known[source] * self._bent(source, requests, sure)
            weights[source] = bent[:, None] * of_items[source][items] + new[source][:, None]
        return weights

    def _bent(self, source: np.integer[Any], requests: Floats, sure: Floats) -> Floats:
        """Give the part of a source's gate that requests decide, float32 (B,)."""
        slopes = self.slopes[source]
        return np.exp(requests @ slopes[_OF_REQUEST] + slopes[-1] * sure)

    def _of_items(self, n_items: int) -> tuple[Floats, Mask]:
        """Give the part of the gate that items decide, (S, N), and which of them are new, (N,)."""
        factors, is_new = self._known_items
        if n_items == len(is_new):
            return factors, is_new
        return _item_factors(self.slopes, widened(self.items, n_items))

    @cached_property
    def _known_items(self) -> tuple[Floats, Mask]:
        return _item_factors(self.slopes, self.items)

    def only(self, kept: Mask) -> Self:
        """Give the gate in which people with a history hear only some sources, bool (S,)."""
        return replace(self, convex=self.convex.only(kept))

    def knowing(self, dataset: Dataset) -> Self:
        return replace(self, items=item_evidence(dataset))

    def state(self) -> State:
        gate = {"slopes": self.slopes, "shifts": self.shifts, "items": self.items}
        return {**self.convex.state(), **gate}

    @classmethod
    def restore(cls, settings: BlendSettings, state: State) -> Self:
        slopes = np.asarray(state["slopes"], dtype=np.float32)
        shifts = np.asarray(state["shifts"], dtype=np.float32)
        items = np.asarray(state["items"], dtype=np.float32)
        return cls(ConvexBlend.restore(settings, state), slopes, shifts, items)


def _item_factors(slopes: Floats, items: Floats) -> tuple[Floats, Mask]:
    return np.exp(slopes[:, _OF_ITEM] @ items.T), items[:, 1] > 0
