"""A convex combination of calibrated scores whose weights are chosen on the validation cut.

    score(u, i) = Σ_s ((1 − μ) · w_s + μ · v_s) · z_s(u, i)

with z_s the standardised scores of source s, w the weights that validation chose for people with a
history, v those of newcomers, and μ = 1 without a history, 0 with one, and κ / (n + κ) but not
below the words' share for someone with n events who says in words what they want. All weights are
>= 0 and sum to 1. The learned gate, which weighs by the evidence for this user and this item,
takes this place behind the same contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask
from longtale.blend.calibrate import standardised
from longtale.contracts import State
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.errors import SettingsError
from longtale.settings import Settings

_STEPS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.5, 2.0, 4.0)
"""Factors that the search tries on one weight; they reach any ratio in a few sweeps."""

_TIE = np.float32(1e-5)
"""Standardised score by which targets lose every tie while the weights are searched."""


class BlendSettings(Settings):
    """How the weights of the sources are chosen."""

    cutoff: int = Field(default=100, ge=1, le=1000)
    """Length of the list whose nDCG on the validation cut the weights maximise; a list as short as
    a slate lets a few users decide."""
    depth: int = Field(default=200, ge=1, le=5000)
    """How many of each source's best items compete while the weights are searched."""
    sweeps: int = Field(default=6, ge=1, le=100)
    """How often the search passes over all weights; it stops early when nothing improves."""
    tolerance: float = Field(default=0.01, ge=0, le=0.5)
    """Part of the validation nDCG that may be given up for fewer sources and faster answers."""
    newcomer_meaning: float = Field(default=0.9, ge=0, le=1)
    """Weight of meaning for someone who has not acted yet; the rest is popularity."""
    words_share: float = Field(default=0.5, ge=0, le=1)
    """Least share of the newcomers' weights when someone with a history says what they want."""
    patience: float = Field(default=3.0, gt=0)
    """Number of events after which a history counts as much as the newcomers' weights."""


@dataclass(frozen=True, eq=False)
class Example:
    """A batch of validation requests with what came next.

    Args:
        queries: B requests.
        scores: float32 (S, B, N), as the retrievers gave them.
        targets: the relevant items of each of the B requests.
        masked: bool (B, N), items that cannot be recommended.
    """

    queries: Queries
    scores: Floats
    targets: Histories
    masked: Mask


@dataclass(frozen=True, eq=False)
class ConvexBlend:
    """A fitted convex combination of S sources.

    Args:
        settings: what it was fitted with.
        weights: float32 (S,), for people with a history; not negative, sum 1.
        newcomer_weights: float32 (S,), for people without; likewise.
    """

    settings: BlendSettings
    weights: Floats
    newcomer_weights: Floats

    @classmethod
    def fit(
        cls, examples: Iterable[Example], settings: BlendSettings, *, newcomer_weights: Floats
    ) -> Self:
        """Choose the weights that give the best nDCG on validation requests.

        Coordinate ascent from the best single source and from equal weights; the better end wins.
        Then sources that add next to nothing are left out, since each costs time in every answer.

        Args:
            examples: validation requests, batch by batch.
            settings: how to search.
            newcomer_weights: float32 (S,), where the search for people without a history starts;
                it ends there too if none of them validates.

        Raises:
            SettingsError: there is no validation request to choose by.
        """
        pools = [_pool(example, settings.depth) for example in examples]
        known = [pool.where(pool.has_history) for pool in pools if pool.has_history.any()]
        new = [pool.where(~pool.has_history) for pool in pools if not pool.has_history.all()]
        if not known:
            raise SettingsError(
                "the weights of the blend need at least one validation request with a history, and "
                "there is none; give more events, or more users with two events or more"
            )
        n_sources = len(newcomer_weights)
        singles = np.eye(n_sources, dtype=np.float32)
        best_single = max(singles, key=lambda w: _mean_ndcg(known, w, settings.cutoff))
        starts = [best_single, np.full(n_sources, 1 / n_sources, dtype=np.float32)]
        weights, _ = max((_climb(known, s, settings) for s in starts), key=lambda end: end[1])
        weights = _pruned(known, weights, settings)
        if new:
            newcomer_weights, _ = _climb(new, newcomer_weights, settings)
        return cls(settings, weights, newcomer_weights)

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
        shares[used] = standardised(scores[used]) * weights[used, :, None]
        heard = ~np.isnan(scores[used]) & (weights[used] > 0)[:, :, None]
        shares[0][~heard.any(axis=0)] = -np.inf
        return shares

    def uses(self, queries: Queries) -> Mask:
        return np.asarray(self.weights_of(queries).any(axis=1))

    def weights_of(self, queries: Queries) -> Floats:
        """Give the weight of each source for each request, float32 (S, B)."""
        lengths = queries.histories.lengths
        share = (lengths == 0).astype(np.float32)
        if queries.text_vectors is not None:
            told = queries.text_vectors.any(axis=1)
            prior = self.settings.patience / (lengths + self.settings.patience)
            share = np.where(told, np.maximum(prior, self.settings.words_share), share)
        mixed = np.outer(self.weights, 1 - share) + np.outer(self.newcomer_weights, share)
        return mixed.astype(np.float32)

    def state(self) -> State:
        return {"weights": self.weights, "newcomer_weights": self.newcomer_weights}

    @classmethod
    def restore(cls, settings: BlendSettings, state: State) -> Self:
        return cls(settings, np.asarray(state["weights"]), np.asarray(state["newcomer_weights"]))


@dataclass(frozen=True, eq=False)
class _Pool:
    """The C items that can matter for each of B requests.

    Args:
        scores: float32 (B, C, S), calibrated; -inf is padding.
        relevant: bool (B, C).
        n_targets: int64 (B,), number of relevant items.
        has_history: bool (B,).
    """

    scores: Floats
    relevant: Mask
    n_targets: NDArray[np.int64]
    has_history: Mask

    def where(self, kept: Mask) -> _Pool:
        """Keep the chosen requests, bool (B,)."""
        return _Pool(*(part[kept] for part in vars(self).values()))


def _pool(example: Example, depth: int) -> _Pool:
    """Keep each source's best items and the targets: the rest cannot reach the slate."""
    calibrated = standardised(example.scores)
    calibrated[:, example.masked] = -np.inf
    n_requests, n_items = calibrated.shape[1:]
    kept = np.zeros((n_requests, n_items), dtype=np.bool_)
    for scores in calibrated:
        best = np.argpartition(-scores, min(depth, n_items - 1), axis=1)[:, :depth]
        np.put_along_axis(kept, best, values=True, axis=1)
    relevant = example.targets.matrix(n_items).toarray() > 0
    kept = (kept | relevant) & ~example.masked
    width = int(kept.sum(axis=1).max(initial=1))
    items = np.argsort(~kept, axis=1, kind="stable")[:, :width]
    scores = np.stack([np.take_along_axis(s, items, axis=1) for s in calibrated], axis=-1)
    real = np.take_along_axis(kept, items, axis=1)
    scores[~real] = -np.inf
    is_target = np.take_along_axis(relevant, items, axis=1) & real
    scores[is_target] -= _TIE  # or sources that say nothing would win by the order of the items
    return _Pool(
        scores,
        is_target,
        example.targets.lengths,
        example.queries.histories.lengths > 0,
    )


def _climb(
    pools: Sequence[_Pool], weights: Floats, settings: BlendSettings
) -> tuple[Floats, float]:
    best = _mean_ndcg(pools, weights, settings.cutoff)
    for _ in range(settings.sweeps):
        before = best
        for source in range(len(weights)):
            for trial in _trials(weights, source):
                reached = _mean_ndcg(pools, trial, settings.cutoff)
                if reached > best:
                    weights, best = trial, reached
        if best <= before:
            break
    return weights, best


def _pruned(pools: Sequence[_Pool], weights: Floats, settings: BlendSettings) -> Floats:
    """Leave out the weakest sources as long as the nDCG stays within the tolerance of the best."""
    floor = _mean_ndcg(pools, weights, settings.cutoff) * (1 - settings.tolerance)
    for source in np.argsort(weights, kind="stable"):
        trial = weights.copy()
        trial[source] = 0
        if trial.any() and _mean_ndcg(pools, trial, settings.cutoff) >= floor:
            weights = trial / trial.sum()
    return weights


def _trials(weights: Floats, source: int) -> list[Floats]:
    trials = []
    for step in _STEPS:
        trial = weights.copy()
        trial[source] = max(float(weights[source]), 0.02) * step
        if trial.sum() > 0:
            trials.append(trial / trial.sum())
    return trials


def _mean_ndcg(pools: Sequence[_Pool], weights: Floats, cutoff: int) -> float:
    totals = [_ndcg(pool, weights, cutoff) for pool in pools]
    return float(np.concatenate(totals).mean())


def _ndcg(pool: _Pool, weights: Floats, cutoff: int) -> NDArray[np.float64]:
    active = weights > 0  # 0 · -inf would be NaN
    totals = pool.scores[:, :, active] @ weights[active]
    depth = min(cutoff, totals.shape[1])
    best = np.argpartition(-totals, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(totals, best, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    hits = np.take_along_axis(pool.relevant, best, axis=1)
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    ideal = np.cumsum(discounts)[np.clip(pool.n_targets, 1, depth) - 1]
    gained: NDArray[np.float64] = (hits @ discounts) / ideal
    return gained[pool.n_targets > 0]
