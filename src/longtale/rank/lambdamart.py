"""How a ranker's trees are grown and tried: LambdaMART that starts from the blend's score.

Burges 2010, "From RankNet to LambdaRank to LambdaMART" (MSR-TR-2010-82).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize_scalar

from longtale.arrays import segment_rows
from longtale.rank.boosting import Table, boosted
from longtale.rank.examples import Examples, PoolSettings
from longtale.rank.features import BLENDED, is_monotone
from longtale.rank.order import ndcg, places
from longtale.settings import Settings

if TYPE_CHECKING:
    from lightgbm import Booster

_FACTORS = (0.01, 30.0)  # bounds of c; a blend that tells nothing ends at the first


class RankerSettings(Settings):
    """How the trees learn, and what it takes to keep them."""

    pool: PoolSettings = PoolSettings()
    """Which items are ranked."""
    trees: int = Field(default=300, ge=1, le=5000)
    """At most this many trees; held-out users decide how many."""
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    """How much of each tree counts."""
    leaves: int = Field(default=7, ge=2, le=1024)
    """Leaves of a tree."""
    min_rows: int = Field(default=300, ge=1)
    """Least number of candidates in a leaf."""
    l2: float = Field(default=5.0, ge=0)
    """How strongly the leaves' values are held small."""
    feature_share: float = Field(default=0.6, gt=0, le=1)
    """Share of the features that each tree may use."""
    truncation: int = Field(default=20, ge=1)
    """Only pairs with a candidate above this place teach."""
    patience: int = Field(default=40, ge=1)
    """How many trees without gain on held-out users end the fit."""
    folds: int = Field(default=4, ge=3, le=20)
    """Into how many parts the users are cut to judge the trees."""
    cutoff: int = Field(default=10, ge=1, le=1000)
    """Length of the list whose nDCG is judged."""
    min_requests: int = Field(default=200, ge=1)
    """With fewer requests that have a relevant candidate no trees are tried: they learn nothing."""
    seed: int = Field(default=0, ge=0)
    """Decides the folds, the trees' features and the bootstrap."""


@dataclass(frozen=True, eq=False)
class Round:
    """What trees did for one held-out fold: gain of each request, (g,), and how many there were."""

    gains: NDArray[np.float64]
    n_trees: int


def tried(
    examples: Examples, folds: NDArray[np.int64], fold: int, settings: RankerSettings
) -> Round:
    """Rank one fold by trees that have not seen it; the next fold says when to stop."""
    other = (fold + 1) % settings.folds
    learned = examples.where((folds != fold) & (folds != other))
    choosing, judging = examples.where(folds == other), examples.where(folds == fold)
    factor = blend_factor(learned)
    booster = grown(learned, choosing, settings, factor, settings.trees)
    scores = booster.predict(judging.features) + factor * _of_blend(judging)
    before, after = (
        ndcg(
            places(order.astype(np.float32), judging.offsets),
            judging.is_target,
            judging.offsets,
            judging.n_targets,
            settings.cutoff,
        )
        for order in (-np.arange(len(scores)), scores)  # rows stand in the blend's order
    )
    return Round(after - before, max(booster.best_iteration, 1))


def _of_blend(part: Examples) -> NDArray[np.float64]:
    """Give the blend's score of each candidate in deviations, float64 (R,)."""
    return part.features[:, part.names.index(BLENDED)].astype(np.float64)


def blend_factor(part: Examples) -> float:
    """Find c by the likelihood of what came next under the softmax over the candidates."""
    z, starts = _of_blend(part), part.offsets[:-1]
    owners = segment_rows(part.offsets)
    largest = np.maximum.reduceat(z, starts)
    n_targets = np.add.reduceat(part.is_target.astype(np.float64), starts)

    def surprise(c: float) -> float:
        totals = np.add.reduceat(np.exp(c * (z - largest[owners])), starts)
        told = c * (z - largest[owners])[part.is_target].sum()
        return float((n_targets * np.log(totals)).sum() - told)

    return float(minimize_scalar(surprise, bounds=_FACTORS, method="bounded").x)


def grown(
    learned: Examples,
    choosing: Examples | None,
    settings: RankerSettings,
    factor: float,
    n_trees: int,
) -> Booster:
    """Grow trees on top of the blend's score times a factor, at most `n_trees` of them."""
    return boosted(
        _table(learned, factor),
        None if choosing is None else _table(choosing, factor),
        {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [settings.cutoff],
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.min_rows,
            "lambda_l2": settings.l2,
            "feature_fraction": settings.feature_share,
            "lambdarank_truncation_level": settings.truncation,
            "monotone_constraints": [int(is_monotone(name)) for name in learned.names],
            "seed": settings.seed,
        },
        n_trees,
        patience=settings.patience,
    )


def _table(part: Examples, factor: float) -> Table:
    labels = part.is_target.astype(np.float32)
    return Table(part.features, labels, part.sizes, factor * _of_blend(part))
