"""A convex combination of calibrated scores whose weights are chosen on the validation cut.

    score(u, i) = Σ_s ((1 − μ) · w_s + μ · v_s) · z_s(u, i)

with z_s the standardised scores of source s, w the weights that validation chose for people with a
history, v those of newcomers, and μ = 1 without a history, 0 with one, and κ / (n + κ) but not
below the words' share for someone with n events who says in words what they want. All weights are
>= 0 and sum to 1. The learned gate, which weighs by the evidence for this user and this item,
takes this place behind the same contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, Mask, Rows
from longtale.blend.calibrate import standardised, unheard
from longtale.blend.lists import Lists
from longtale.contracts import State
from longtale.data.candidates import Scale
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.errors import SettingsError
from longtale.settings import Settings

_STEPS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.5, 2.0, 4.0)
"""Factors that the search tries on one weight; they reach any ratio in a few sweeps."""

_LEAST = np.float32(0.02)
"""What a weight of 0 is tried as."""


class BlendSettings(Settings):
    """How the weights of the sources are chosen."""

    cutoff: int = Field(default=100, ge=1, le=1000)
    """Length of the list whose nDCG on the validation cut the weights maximise; a list as short as
    a slate lets a few users decide."""
    depth: int = Field(default=100, ge=1, le=5000)
    """How many of each source's best items compete while the weights are searched."""
    sweeps: int = Field(default=6, ge=1, le=100)
    """How often the search passes over all weights; it stops early when nothing improves."""
    tolerance: float = Field(default=0.002, ge=0, le=0.5)
    """Part of the validation nDCG that may be given up for fewer sources and faster answers."""
    gate: bool = True
    """Learn how far to trust each source by the evidence for each user and item; the gate goes
    where it loses on validation users that it did not learn from."""
    gate_l2: float = Field(default=30.0, ge=0)
    """How strongly the gate's slopes are held at 0, whatever the number of requests that teach."""
    gate_lists: int = Field(default=200, ge=2)
    """With fewer requests in which a source found the answer no gate is tried."""
    gate_steps: int = Field(default=60, ge=1, le=1000)
    """How many steps of the optimiser the gate takes at most."""
    new_items_price: float = Field(default=0.01, ge=0, le=0.5)
    """Part of the validation nDCG on known items that may be given up to let new items in; the
    fewer new items there are, the higher each of them is lifted for it."""
    newcomer_meaning: float = Field(default=0.9, ge=0, le=1)
    """Weight of meaning for someone who has not acted yet; the rest is popularity."""
    words_share: float = Field(default=0.5, ge=0, le=1)
    """Least share of the newcomers' weights when someone with a history says what they want."""
    patience: float = Field(default=3.0, gt=0)
    """Number of events after which a history counts as much as the newcomers' weights."""


@dataclass(frozen=True, eq=False)
class ConvexBlend:
    """A fitted convex combination of S sources.

    Args:
        settings: what it was fitted with.
        weights: float32 (S,), for people with a history; not negative, sum 1.
        newcomer_weights: float32 (S,), for people without; likewise.
        scale: that of the whole catalogue, where only a part of it is asked about.
    """

    settings: BlendSettings
    weights: Floats
    newcomer_weights: Floats
    scale: Scale | None = None

    @classmethod
    def fit(cls, lists: Lists, settings: BlendSettings, *, newcomer_weights: Floats) -> Self:
        """Choose the weights that give the best nDCG on validation requests.

        Coordinate ascent from the best single source and from equal weights; the better end wins.

        Args:
            lists: validation requests.
            settings: how to search.
            newcomer_weights: float32 (S,), where the search for people without a history starts;
                it ends there too if none of them validates.

        Raises:
            SettingsError: there is no validation request to choose by.
        """
        known, new = (
            lists.take(np.flatnonzero(chosen & (lists.n_targets > 0)))
            for chosen in (lists.n_events > 0, lists.n_events == 0)
        )
        if not len(known):
            raise SettingsError(
                "the weights of the blend need at least one validation request with a history, and "
                "there is none; give more events, or more users with two events or more"
            )
        n_sources = len(newcomer_weights)
        singles = np.eye(n_sources, dtype=np.float32)
        best_single = max(singles, key=lambda w: _mean(known, known.scores @ w, settings.cutoff))
        starts = [best_single, np.full(n_sources, 1 / n_sources, dtype=np.float32)]
        weights, _ = max((climb(known, s, settings) for s in starts), key=lambda end: end[1])
        if len(new):
            newcomer_weights, _ = climb(new, newcomer_weights, settings)
        return cls(settings, weights, newcomer_weights)

    def only(self, kept: Mask) -> Self:
        """Give the blend in which people with a history hear only some sources, bool (S,)."""
        weights = np.where(kept, self.weights, np.float32(0))
        return replace(self, weights=weights / weights.sum())

    @classmethod
    def equal(cls, sources: Sequence[str], only: Sequence[str]) -> Self:
        """Give the blend that trusts some sources alike and the others not at all."""
        chosen = np.array([source in only for source in sources], dtype=np.float32)
        weights = chosen / np.maximum(chosen.sum(), 1)
        return cls(BlendSettings(), weights, weights)

    def contributions(self, queries: Queries, scores: Floats) -> Floats:
        weights = self.weights_of(queries)
        used = weights.any(axis=1)
        shares = np.zeros_like(scores)
        scale = None if self.scale is None else self.scale.take(np.flatnonzero(used))
        shares[used] = standardised(scores[used], scale) * weights[used, :, None]
        return unheard(shares, scores, weights)

    def knowing(self, dataset: Dataset) -> Self:
        return self

    def narrowed(self, items: Rows, scale: Scale) -> Self:
        return replace(self, scale=scale)

    def weights_at(self, queries: Queries, scores: Floats, items: Rows) -> Floats:
        weights = self.weights_of(queries)
        return np.repeat(weights[:, :, None], items.shape[1], axis=2)

    def uses(self, queries: Queries) -> Mask:
        return np.asarray(self.weights_of(queries).any(axis=1))

    def weights_of(self, queries: Queries) -> Floats:
        """Give the weight of each source for each request, float32 (S, B)."""
        known, new = self.halves_of(queries)
        return known + new

    def halves_of(self, queries: Queries) -> tuple[Floats, Floats]:
        """Give the two parts of `weights_of`: that of people with a history, and newcomers'."""
        share = self.newcomers_share(queries)
        return np.outer(self.weights, 1 - share), np.outer(self.newcomer_weights, share)

    def newcomers_share(self, queries: Queries) -> Floats:
        """Give how far each request is a newcomer's, float32 (B,), 0 to 1."""
        lengths = queries.histories.lengths
        share = (lengths == 0).astype(np.float32)
        if queries.text_vectors is not None:
            told = queries.text_vectors.any(axis=1)
            prior = self.settings.patience / (lengths + self.settings.patience)
            share = np.where(told, np.maximum(prior, self.settings.words_share), share)
        return share.astype(np.float32)

    def state(self) -> State:
        return {"weights": self.weights, "newcomer_weights": self.newcomer_weights}

    @classmethod
    def restore(cls, settings: BlendSettings, state: State) -> Self:
        return cls(settings, np.asarray(state["weights"]), np.asarray(state["newcomer_weights"]))


def climb(lists: Lists, weights: Floats, settings: BlendSettings) -> tuple[Floats, float]:
    """Change one weight after the other as long as that raises the nDCG.

    Returns:
        weights that sum to 1, float32 (S,), and the nDCG that they reach.
    """
    totals = lists.scores @ weights
    best = _mean(lists, totals, settings.cutoff)
    weights = weights.copy()
    for _ in range(settings.sweeps):
        before = best
        for source, own in enumerate(lists.scores.T):
            others = totals - weights[source] * own
            for weight in _tried(weights[source]):
                tried = others + weight * own
                reached = _mean(lists, tried, settings.cutoff)
                if reached > best:
                    weights[source], totals, best = weight, tried, reached
        if best <= before:
            break
    return weights / weights.sum(), best


def _tried(weight: np.float32) -> list[np.float32]:
    return [max(weight, _LEAST) * np.float32(step) for step in _STEPS]


def _mean(lists: Lists, totals: Floats, cutoff: int) -> float:
    return float(np.nanmean(lists.ndcg(totals, cutoff)))
