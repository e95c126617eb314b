"""LambdaMART over the candidates of all sources, kept only where it beats the blend.

Boosted trees whose gradients are weighted by what swapping two candidates would change in nDCG:
Burges 2010, "From RankNet to LambdaRank to LambdaMART" (MSR-TR-2010-82), as LightGBM has it (Ke et
al. 2017). More of a source's score can never lower a candidate. The final order is that of

    -(w · log(1 + r_trees) + (1 - w) · log(1 + r_blend))

with r the place of a candidate, from 0, in the trees' order and in the blend's. Whether the trees
help is asked of users they have not seen: the users are parted into folds, each fold is ranked by
trees that learned from two folds fewer, w and the number of trees being chosen on the other of
these two. They are kept only where the bootstrap interval of the mean difference in nDCG@10
lies above zero; else the blend's order stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask, Rows
from longtale.contracts import State
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.rank.boosting import Table, boosted, booster_of
from longtale.rank.evidence import ItemEvidence
from longtale.rank.examples import Examples, PoolSettings, pooled
from longtale.rank.features import FeatureTable, Scored, features, is_monotone
from longtale.rank.order import Difference, bootstrap_difference, mixed, ndcg, places
from longtale.seeds import generator
from longtale.settings import Settings

if TYPE_CHECKING:
    from lightgbm import Booster

MIXES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the trees' order that are tried."""


class RankerSettings(Settings):
    """How the trees learn, and what it takes to keep them."""

    pool: PoolSettings = PoolSettings()
    """Which items are ranked."""
    trees: int = Field(default=300, ge=1, le=5000)
    """At most this many trees; held-out users decide how many."""
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    """How much of each tree counts."""
    leaves: int = Field(default=31, ge=2, le=1024)
    """Leaves of a tree."""
    min_rows: int = Field(default=100, ge=1)
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
class Ranker:
    """Fitted trees, with what held-out users said of them.

    Args:
        settings: what it was fitted with.
        names: the F features, in the order in which the trees know them.
        model: LightGBM's text of the trees; empty where there was too little to learn from.
        mix: share w of the trees' order.
        judged: mean nDCG difference to the blend on held-out users, and its interval.
    """

    settings: RankerSettings
    names: tuple[str, ...]
    model: str
    mix: float
    judged: Difference

    @classmethod
    def fit(cls, examples: Examples, settings: RankerSettings) -> Self:
        """Learn from validation requests, and judge it on users held out.

        Args:
            examples: of all sources, which must not have seen the targets.
            settings: how.

        Raises:
            MissingExtraError: LightGBM is not installed.
        """
        if len(examples) < max(settings.min_requests, settings.folds):
            nothing = Difference(0.0, 0.0, 0.0, len(examples) + examples.n_dropped)
            return cls(settings, examples.names, "", 0.0, nothing)
        rng = generator(settings.seed, "ranker folds")
        folds = rng.permutation(np.arange(len(examples)) % settings.folds)
        rounds = [_round(examples, folds, fold, settings) for fold in range(settings.folds)]
        gains = np.concatenate([tried.gains for tried in rounds])
        gains = np.append(gains, np.zeros(examples.n_dropped))
        judged = bootstrap_difference(gains, rng=generator(settings.seed, "ranker bootstrap"))
        n_trees = int(np.median([tried.n_trees for tried in rounds]))
        model = _boosted(examples, None, settings, n_trees).model_to_string()
        mix = float(np.mean([tried.mix for tried in rounds]))
        return cls(settings, examples.names, model, mix, judged)

    @property
    def is_accepted(self) -> bool:
        """Whether held-out users were surely served better than by the blend alone."""
        return bool(self.model) and self.judged.low > 0

    def score(self, table: FeatureTable) -> Floats:
        """Give the trees' score of each candidate, float32 (B, K), NaN at padding.

        Raises:
            DataError: the features are not those that the trees have learned from, or there are
                no trees.
        """
        rows = self._rows(table)
        real = ~np.isnan(table.values).all(axis=-1)
        scores = np.full(real.shape, np.nan, dtype=np.float32)
        if real.any():
            scores[real] = self._booster.predict(rows[real.ravel()], num_threads=1)
        return scores

    def contributions(self, table: FeatureTable) -> Floats:
        """Give what each feature adds to each score, and last what all candidates have.

        Exact Shapley values of the trees (Lundberg et al. 2020, arXiv:1905.04610).

        Returns:
            float32 (B, K, F + 1), which sum to `score`.
        """
        shares = self._booster.predict(self._rows(table), num_threads=1, pred_contrib=True)
        return np.asarray(shares, dtype=np.float32).reshape(*table.values.shape[:2], -1)

    def order(self, table: FeatureTable) -> Floats:
        """Give each candidate's final score, float32 (B, K), NaN at padding; see the module's head.

        Candidates must stand in the blend's order, as `pooled` gives them.
        """
        scores = self.score(table)
        final = np.full_like(scores, np.nan)
        for row, own in enumerate(scores):
            real = np.flatnonzero(~np.isnan(own))
            one = np.array([0, len(real)])
            final[row, real] = mixed(places(own[real], one), np.arange(len(real)), self.mix)
        return final

    def reranked(
        self, queries: Queries, scored: Scored, evidence: ItemEvidence, *, masked: Mask
    ) -> Floats:
        """Give blended scores whose candidates stand in the ranker's order, float32 (B, N).

        The candidates exchange their blended scores among themselves, so that the scale stays and
        what is no candidate keeps its place. The difference to the blended score is what the ranker
        adds. Where the ranker is not accepted nothing changes.

        Args:
            queries: B requests.
            scored: what the sources and their blend say.
            evidence: what is known about the items.
            masked: bool (B, N), items that must not come.
        """
        if not self.is_accepted:
            return scored.blended
        items = pooled(scored, masked, evidence.is_new, self.settings.pool)
        return exchanged(
            scored.blended, items, self.order(features(queries, items, scored, evidence))
        )

    def state(self) -> State:
        judged = self.judged
        return {
            "model": np.frombuffer(self.model.encode(), dtype=np.uint8),
            "names": np.frombuffer("\n".join(self.names).encode(), dtype=np.uint8),
            "mix": np.array([self.mix]),
            "judged": np.array([judged.mean, judged.low, judged.high, judged.n]),
        }

    @classmethod
    def restore(cls, settings: RankerSettings, state: State) -> Self:
        text = {name: state[name].tobytes().decode() for name in ("model", "names")}
        mean, low, high, n = (float(value) for value in state["judged"])
        names = tuple(text["names"].split("\n"))
        judged = Difference(mean, low, high, int(n))
        return cls(settings, names, text["model"], float(state["mix"][0]), judged)

    @cached_property
    def _booster(self) -> Booster:
        if not self.model:
            raise DataError(
                "this ranker has no trees: there were too few requests to learn from; ask "
                "`is_accepted` first"
            )
        return booster_of(self.model)

    def _rows(self, table: FeatureTable) -> Floats:
        if table.names != self.names:
            differing = sorted(set(table.names) ^ set(self.names))
            raise DataError(
                f"the ranker learned from {len(self.names)} features and was given "
                f"{len(table.names)}; in one only: {differing[:5]}; ask the same sources as in "
                "training, in the same order, or train again"
            )
        return table.values.reshape(-1, len(self.names))


def exchanged(blended: Floats, items: Rows, final: Floats) -> Floats:
    """Give candidates each other's blended scores, so that they stand in another order.

    Args:
        blended: float32 (B, N).
        items: int32 (B, K), best blended first, -1 is padding.
        final: float32 (B, K), the order wanted, larger is better, NaN at padding.
    """
    changed = blended.copy()
    for row, (own, wanted) in enumerate(zip(items, final, strict=True)):
        real = own[own >= 0]
        best_first = real[np.argsort(-wanted[: len(real)], kind="stable")]
        changed[row, best_first] = blended[row, real]
    return changed


@dataclass(frozen=True, eq=False)
class _Round:
    """What trees did for one held-out fold: gain of each request, (g,), and what was chosen."""

    gains: NDArray[np.float64]
    mix: float
    n_trees: int


def _round(
    examples: Examples, folds: NDArray[np.int64], fold: int, settings: RankerSettings
) -> _Round:
    other = (fold + 1) % settings.folds
    learned = examples.where((folds != fold) & (folds != other))
    choosing, judging = examples.where(folds == other), examples.where(folds == fold)
    booster = _boosted(learned, choosing, settings, settings.trees)
    mix = max(MIXES, key=lambda w: _gains(booster, choosing, w, settings.cutoff).mean())
    gains = _gains(booster, judging, mix, settings.cutoff)
    return _Round(gains, mix, max(booster.best_iteration, 1))


def _gains(booster: Booster, part: Examples, mix: float, cutoff: int) -> NDArray[np.float64]:
    blend = places(-np.arange(len(part.features), dtype=np.float32), part.offsets)
    trees = places(np.asarray(booster.predict(part.features), dtype=np.float32), part.offsets)
    reached, before = (
        ndcg(places(order, part.offsets), part.is_target, part.offsets, part.n_targets, cutoff)
        for order in (mixed(trees, blend, mix), -blend.astype(np.float32))
    )
    return reached - before


def _boosted(
    learned: Examples, choosing: Examples | None, settings: RankerSettings, n_trees: int
) -> Booster:
    return boosted(
        _table(learned),
        None if choosing is None else _table(choosing),
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


def _table(part: Examples) -> Table:
    return Table(part.features, part.is_target.astype(np.float32), part.sizes)
