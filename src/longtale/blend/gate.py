"""The gated sparse-dense hybrid: how far to trust each source, for this user and this item.

    score(u, i) = Σ_s w_s · g_s(u, i) · z_s(u, i)       of an item that somebody has met
    g_s(u, i) = exp(a_s · φ_i + b_s · φ_u + c_s · φ_us)
    score(u, i) = Σ_s v_s · (z_s(u, i) + δ)             of a new one

with z_s the standardised scores of source s, w its weight in `ConvexBlend`, φ the evidence (how
often the item was touched and how old it is, how long the history is and how long ago it ended,
how sure the source is: `evidence.py`), v the weights of the sources that can read a new item, and δ
what lifts new items to where they are wanted among the others (`new_items.py`).

All slopes 0 is the convex combination; a constant gate over text tower, attention profile and
collaborative score is the fixed formula (`fixed.py`). A gate that multiplies is read as factors,
stays positive, and falls into a part per item that is computed once and a part per request. In
place of a constraint that trust in behaviour must rise with n_i, the evidence decides: standardised
scores of rare items are small already.

Newcomers keep weights of their own, which no evidence on behaviour bends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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
from longtale.data.candidates import Scale
from longtale.data.dataset import Dataset
from longtale.data.query import Queries

N_SLOPES = len(ITEM_EVIDENCE) + len(REQUEST_EVIDENCE) + 1
"""Evidence of the item, evidence of the request, and the source's own sureness."""
BURIED = -1e3
"""Lift at which new items stand behind all others."""
_OF_ITEM = slice(0, len(ITEM_EVIDENCE))
_OF_REQUEST = slice(len(ITEM_EVIDENCE), N_SLOPES - 1)


@dataclass(frozen=True, eq=False)
class GatedBlend:
    """A fitted gate over S sources.

    Args:
        convex: the weights that the gate bends.
        slopes: float32 (S, 6), change of a source's log weight with each piece of evidence.
        new_weights: float32 (S,), v; all 0 where none were learned: w · g serves new items too.
        lift: δ.
        items: float32 (N, 3), `item_evidence`.
        steps: float64 (K, 3), sums of v and lifts that may be chosen, and which part of the known
            items' nDCG each of them costs for every new item; those that serve new items best
            stand first. None where nothing was learned.
    """

    convex: ConvexBlend
    slopes: Floats
    new_weights: Floats
    lift: float
    items: Floats
    steps: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))

    @classmethod
    def flat(cls, convex: ConvexBlend, items: Floats) -> Self:
        """Give the gate that changes nothing."""
        n_sources = len(convex.weights)
        slopes = np.zeros((n_sources, N_SLOPES), dtype=np.float32)
        return cls(convex, slopes, np.zeros(n_sources, dtype=np.float32), 0.0, items)

    @property
    def settings(self) -> BlendSettings:
        """What it was fitted with."""
        return self.convex.settings

    def contributions(self, queries: Queries, scores: Floats) -> Floats:
        used = self.uses(queries)
        weights = np.repeat(used[:, None], len(queries), axis=1).astype(np.float32)
        shares = np.zeros_like(scores)
        items = np.arange(scores.shape[-1], dtype=np.int32)
        is_new = self._of_items(len(items))[1] & self.new_weights.any()
        asked = _Asked.of(queries, self.convex)
        heard_new = np.outer(1 - asked.share, self.new_weights * self.lift)
        for source, standard in zip(*self._standardised(scores, used), strict=True):
            weight = self._weights(source, asked, sureness(standard), items[None])
            np.multiply(standard, weight, out=shares[source])
            if is_new.any() and self.new_weights[source]:
                heard = ~np.isnan(scores[source][:, is_new])
                shares[source][:, is_new] += heard_new[:, [source]] * heard
        return unheard(shares, scores, weights)

    def uses(self, queries: Queries) -> Mask:
        reads_new = (self.new_weights > 0) & bool(self._known_items[1].any())
        some_known = bool((self.convex.newcomers_share(queries) < 1).any())
        return self.convex.uses(queries) | (reads_new & some_known)

    def weights_at(self, queries: Queries, scores: Floats, items: Rows) -> Floats:
        weights = np.zeros((len(scores), *items.shape), dtype=np.float32)
        asked = _Asked.of(queries, self.convex)
        for source, standard in zip(*self._standardised(scores, self.uses(queries)), strict=True):
            weights[source] = self._weights(source, asked, sureness(standard), items)
        return weights

    def _standardised(self, scores: Floats, used: Mask) -> tuple[NDArray[np.integer], Floats]:
        """Give the numbers of the sources in use, and their scores on the common scale."""
        numbers = np.flatnonzero(used)
        scale = None if self.convex.scale is None else self.convex.scale.take(numbers)
        return numbers, standardised(scores[numbers], scale)

    def _weights(self, source: np.integer[Any], asked: _Asked, sure: Floats, items: Rows) -> Floats:
        """Give how far a source is trusted, float32 (B, K), for items (B, K) or (1, K)."""
        of_items, is_new = self._of_items(max(len(self.items), int(items.max(initial=-1)) + 1))
        bent = asked.known[source] * self._bent(source, asked.requests, sure)
        weights = bent[:, None] * of_items[source][items]
        if self.new_weights.any() and is_new.any():
            own = (1 - asked.share) * self.new_weights[source]
            weights = np.where(is_new[items], own[:, None], weights)
        return weights + asked.new[source][:, None]

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
        return replace(self, items=item_evidence(dataset)).lifted()

    def narrowed(self, items: Rows, scale: Scale) -> Self:
        known = widened(self.items, max(len(self.items), int(items.max(initial=-1)) + 1))
        return replace(self, convex=self.convex.narrowed(items, scale), items=known[items])

    def lifted(self) -> Self:
        """Lift new items as far as the price allows at their number."""
        if not len(self.steps):
            return self
        n_new = int(self.items[:, 1].sum())
        payable = self.steps[self.steps[:, 2] * n_new <= self.settings.new_items_price]
        scale, lift, _ = payable[0].tolist() if len(payable) else (1.0, BURIED, 0.0)
        new_weights = self.new_weights * np.float32(scale / self.new_weights.sum())
        return replace(self, new_weights=new_weights, lift=lift)

    def state(self) -> State:
        gate = {"slopes": self.slopes, "new_weights": self.new_weights, "items": self.items}
        return {**self.convex.state(), **gate, "lift": np.array([self.lift]), "steps": self.steps}

    @classmethod
    def restore(cls, settings: BlendSettings, state: State) -> Self:
        slopes = np.asarray(state["slopes"], dtype=np.float32)
        new_weights = np.asarray(state["new_weights"], dtype=np.float32)
        items = np.asarray(state["items"], dtype=np.float32)
        convex = ConvexBlend.restore(settings, state)
        steps = np.asarray(state["steps"], dtype=np.float64)
        return cls(convex, slopes, new_weights, float(state["lift"][0]), items, steps)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What B requests decide, the same for every source: computed once for an answer.

    Args:
        known: float32 (S, B), weights as of people with a history; see `ConvexBlend.halves_of`.
        new: float32 (S, B), weights as of newcomers.
        share: float32 (B,), how far each is a newcomer's.
        requests: float32 (B, 2), `request_evidence`.
    """

    known: Floats
    new: Floats
    share: Floats
    requests: Floats

    @classmethod
    def of(cls, queries: Queries, convex: ConvexBlend) -> Self:
        """Ask the convex blend and the requests."""
        share = convex.newcomers_share(queries)
        return cls(*convex.halves_of(queries), share, request_evidence(queries))


def _item_factors(slopes: Floats, items: Floats) -> tuple[Floats, Mask]:
    return np.exp(slopes[:, _OF_ITEM] @ items.T), items[:, 1] > 0
