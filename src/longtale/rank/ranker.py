"""LambdaMART over the candidates of all sources, kept only where it beats the blend.

Boosted trees whose gradients are weighted by what swapping two candidates would change in nDCG:
Burges 2010, "From RankNet to LambdaRank to LambdaMART" (MSR-TR-2010-82), as LightGBM has it (Ke et
al. 2017). The trees do not start from nothing, but from what the blend says:

    score = c · z_blend + Σ trees

with z_blend the blended score in deviations, and c the factor under which the softmax of
c · z_blend over the candidates best foretells what came next. So a few thousand requests suffice
to learn where the blend errs; from nothing they do not even find the blend again. More of a
source's score can never lower a candidate.

Whether the trees help is asked of users they have not seen: users are parted into folds, and each
fold is ranked by trees that learned from two folds fewer; the other of these two says when to
stop. The ranker is accepted only where the bootstrap interval of the mean difference in nDCG@10
to the blend lies above zero; else the blend's order stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows
from longtale.contracts import State
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.rank.boosting import booster_of
from longtale.rank.evidence import ItemEvidence
from longtale.rank.examples import Examples, pooled
from longtale.rank.features import BLENDED, FeatureTable, Scored, features
from longtale.rank.lambdamart import RankerSettings, Round, blend_factor, grown, tried
from longtale.rank.order import Difference, bootstrap_difference
from longtale.seeds import dealt, generator

if TYPE_CHECKING:
    from lightgbm import Booster


@dataclass(frozen=True, eq=False)
class Ranker:
    """Fitted trees, with what held-out users said of them.

    Args:
        settings: what it was fitted with.
        names: the F features, in the order in which the trees know them.
        model: LightGBM's text of the trees; empty where there was too little to learn from.
        factor: c, how much the blend's score counts.
        judged: mean nDCG difference to the blend on held-out users, and its interval.
    """

    settings: RankerSettings
    names: tuple[str, ...]
    model: str
    factor: float
    judged: Difference

    @classmethod
    def fit(cls, examples: Examples, settings: RankerSettings) -> Self:
        """Learn from validation requests, and judge it on users held out.

        Args:
            examples: of all sources, which must not have seen the targets.
            settings: how.
        """
        if len(examples) < max(settings.min_requests, settings.folds):
            nothing = Difference(0.0, 0.0, 0.0, len(examples) + examples.n_dropped)
            return cls(settings, examples.names, "", 0.0, nothing)
        rng = generator(settings.seed, "ranker folds")
        folds = dealt(examples.users, settings.folds, rng)
        rounds = [tried(examples, folds, fold, settings) for fold in range(settings.folds)]
        gains = _per_user(rounds, folds, examples.users)
        gains = np.append(gains, np.zeros(examples.n_dropped))
        judged = bootstrap_difference(gains, rng=generator(settings.seed, "ranker bootstrap"))
        n_trees = int(np.median([each.n_trees for each in rounds]))
        factor = blend_factor(examples)
        booster = grown(examples, None, settings, factor, n_trees)
        return cls(settings, examples.names, booster.model_to_string(), factor, judged)

    @property
    def is_accepted(self) -> bool:
        """Whether held-out users were surely served better than by the blend alone."""
        return bool(self.model) and self.judged.low > 0

    def score(self, table: FeatureTable) -> Floats:
        """Give the score of each candidate, float32 (B, K), NaN at padding.

        Raises:
            DataError: the features are not those that the trees have learned from, or there are
                no trees.
        """
        rows = self._rows(table)
        real = ~np.isnan(table.values).all(axis=-1)
        scores = np.full(real.shape, np.nan, dtype=np.float32)
        if real.any():
            kept = rows[real.ravel()]
            trees = self._booster.predict(kept, num_threads=1)
            scores[real] = trees + np.float32(self.factor) * kept[:, self._blend]
        return scores

    def contributions(self, table: FeatureTable) -> Floats:
        """Give what each feature adds to each score, and last what all candidates have.

        Exact Shapley values of the trees (Lundberg et al. 2020, arXiv:1905.04610).

        Returns:
            float32 (B, K, F + 1), which sum to `score`.
        """
        shares = self._booster.predict(self._rows(table), num_threads=1, pred_contrib=True)
        found = np.asarray(shares, dtype=np.float32).reshape(*table.values.shape[:2], -1)
        found[..., self._blend] += np.float32(self.factor) * table.values[..., self._blend]
        return found

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
        table = features(queries, items, scored, evidence)
        return exchanged(scored.blended, items, self.score(table))

    def state(self) -> State:
        judged = self.judged
        return {
            "model": np.frombuffer(self.model.encode(), dtype=np.uint8),
            "names": np.frombuffer("\n".join(self.names).encode(), dtype=np.uint8),
            "factor": np.array([self.factor]),
            "judged": np.array([judged.mean, judged.low, judged.high, judged.n]),
        }

    @classmethod
    def restore(cls, settings: RankerSettings, state: State) -> Self:
        text = {name: state[name].tobytes().decode() for name in ("model", "names")}
        mean, low, high, n = (float(value) for value in state["judged"])
        names = tuple(text["names"].split("\n"))
        judged = Difference(mean, low, high, int(n))
        return cls(settings, names, text["model"], float(state["factor"][0]), judged)

    @property
    def _blend(self) -> int:
        return self.names.index(BLENDED)

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


def _per_user(
    rounds: Sequence[Round], folds: NDArray[np.int64], users: Rows
) -> NDArray[np.float64]:
    """Give each user's mean gain: who asks five times is one witness, not five."""
    gains = np.concatenate([each.gains for each in rounds])
    asked = np.concatenate([users[folds == fold] for fold in range(len(rounds))])
    own = gains[asked < 0]
    _, rows = np.unique(asked[asked >= 0], return_inverse=True)
    means = np.bincount(rows, gains[asked >= 0]) / np.maximum(np.bincount(rows), 1)
    return np.concatenate([own, means])


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
