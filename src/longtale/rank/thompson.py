"""Thompson sampling: lend places to the items that may well be good, as long as that is unsure.

One linear model of the reward over all items, r = xᵀθ + noise, with a Gaussian posterior of θ
(Thompson, 1933; Agrawal and Goyal, 2013, arXiv:1209.3352):

    A = λ I + Σ x xᵀ / σ²,    θ ~ N(A⁻¹ Σ x r / σ², A⁻¹)

with x the features of an item for a request, r the reward, λ the prior precision and σ² the
variance of the noise. All items share the posterior: what one new item teaches serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from pydantic import Field
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import ndtr

from longtale.arrays import Floats, Mask
from longtale.data.candidates import Candidates
from longtale.errors import DataError
from longtale.rank.explore import Explored, pool_of
from longtale.rank.rerank import Places, Values, first_places, reordered
from longtale.settings import Settings

_CERTAIN = 1e-300
"""A spread of 0, for an item without features, that still can be divided by."""


class ThompsonSettings(Settings):
    """How many places are lent by Thompson sampling, and how its model learns."""

    quota: float = Field(default=0.1, ge=0, le=0.1)
    """Share of the places of a slate that is lent, in the mean; 0 never explores."""
    first_rank: int = Field(default=3, ge=1)
    """The first place that may be lent; 1 is the top."""
    give_up: float = Field(default=0.05, ge=0, lt=1)
    """An item is no longer drawn when its chance to reach the baseline falls below this."""
    n_draws: int = Field(default=200, ge=1, le=100_000)
    """Draws of the posterior by which propensities are estimated."""
    prior_precision: float = Field(default=1.0, gt=0)
    """Inverse variance of each coefficient before anything is known; larger learns slower."""
    noise: float = Field(default=0.25, gt=0)
    """Variance of a single reward about its mean; 1/4 is the most that clicks can have."""


@dataclass(frozen=True, eq=False)
class BayesianLinear:
    """What is believed about θ, F coefficients.

    Args:
        settings: prior and noise.
        precision: float64 (F, F), A.
        weighted: float64 (F,), Σ x r / σ².
    """

    settings: ThompsonSettings
    precision: Values
    weighted: Values

    @classmethod
    def prior(cls, n_features: int, settings: ThompsonSettings) -> Self:
        """Give what is believed before anything was seen."""
        return cls(settings, settings.prior_precision * np.eye(n_features), np.zeros(n_features))

    def updated(self, features: Floats, rewards: Floats) -> Self:
        """Learn from what was shown; the same in one go or one by one, in any order.

        Args:
            features: (n, F), of the items that were shown, finite.
            rewards: (n,), what came of it, such as 1 for a click, finite.

        Raises:
            DataError: a value is not finite, or the shapes do not agree.
        """
        x, r = np.asarray(features, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
        if x.shape != (len(r), len(self.weighted)) or not np.isfinite(x).all():
            raise DataError(
                f"features of shape {x.shape} for {len(r)} rewards cannot be learned from; "
                f"expected ({len(r)}, {len(self.weighted)}) without NaN: fill what is unknown first"
            )
        if not np.isfinite(r).all():
            raise DataError(
                "a reward is not finite; leave out impressions whose outcome is unknown"
            )
        noise = self.settings.noise
        return replace(
            self, precision=self.precision + x.T @ x / noise, weighted=self.weighted + r @ x / noise
        )

    @cached_property
    def mean(self) -> Values:
        """The expected θ, float64 (F,)."""
        return np.asarray(cho_solve(self._factor, self.weighted))

    def draws(self, n: int, rng: np.random.Generator) -> Values:
        """Draw θ from the posterior, float64 (n, F)."""
        normal = rng.standard_normal((len(self.mean), n))
        return self.mean + solve_triangular(self._factor[0], normal, trans="T", lower=True).T

    def chance_above(self, features: Floats, level: float) -> Values:
        """Give the probability that the mean reward of each item exceeds a level, (n,).

        Args:
            features: (n, F).
            level: such as the click rate of what usually stands there.
        """
        x = np.asarray(features, dtype=np.float64)
        spread = np.linalg.norm(solve_triangular(self._factor[0], x.T, lower=True), axis=0)
        gap = x @ self.mean - level
        return np.asarray(ndtr(gap / np.maximum(spread, _CERTAIN)))

    @cached_property
    def _factor(self) -> tuple[Values, bool]:
        factor, lower = cho_factor(self.precision, lower=True)
        return np.tril(factor), lower


@dataclass(frozen=True, eq=False)
class Thompson:
    """Lends places to the items whose drawn reward is largest.

    Of k places, q k are lent in the mean: its whole part always, one more with the probability of
    the rest. Which of the places from `first_rank` on, is drawn uniformly; which items, by one draw
    of θ for each request. So an item that keeps one of n such places has the probability
    1 - E[number lent] / n, exactly. An item of the pool has, at each of these places,
    P(it is among the lent) / n, where the probability over θ has no closed form: it is estimated by
    (1 + hits) / (1 + draws) over `n_draws` further draws, which counts the draw that was shown, is
    never 0, and lies above the truth by at most 1 / (1 + draws).

    Args:
        model: what is believed about the rewards, with the settings.
    """

    model: BayesianLinear

    def explore(
        self,
        candidates: Candidates,
        k: int,
        features: Floats,
        *,
        rng: np.random.Generator,
        allowed: Mask | None = None,
        baseline: float | None = None,
    ) -> Explored:
        """Draw slates.

        Args:
            candidates: K of each of B requests, best first; those behind the first k are the pool.
            k: length of the slate.
            features: (B, K, F), of each candidate, finite where it may be drawn.
            rng: draws places and θ.
            allowed: bool (N,), items that may be drawn, such as new ones; None is all.
            baseline: reward of what usually stands there; items without a fair chance of reaching
                it are not drawn. None draws all.
        """
        pool = pool_of(candidates, k, allowed)
        places = first_places(candidates.items >= 0, k)
        propensities = np.where(places < 0, np.float32(np.nan), np.float32(1))
        is_lent = np.zeros(places.shape, dtype=np.bool_)
        for row, own in enumerate(pool):
            columns = self._worth_a_try(np.flatnonzero(own), features[row], baseline)
            known = features[row, columns].astype(np.float64)
            open_places = np.flatnonzero(places[row] >= 0)[self.settings.first_rank - 1 :]
            most = min(len(columns), len(open_places))
            if most == 0:
                continue
            n_lent, chances = self._numbers(places.shape[1], most, rng)
            thetas = self.model.draws(1 + self.settings.n_draws, rng)
            order = np.argsort(-(thetas @ known.T), axis=1, kind="stable")  # (1 + draws, pool)
            lent = rng.permutation(open_places)[:n_lent]
            expected = float(chances @ np.arange(len(chances)))
            propensities[row, open_places] = 1 - expected / len(open_places)
            reached = _chances_of(order, chances) / len(open_places)
            shown = order[0, :n_lent]
            places[row, lent], propensities[row, lent] = columns[shown], reached[shown]
            is_lent[row, lent] = True
        return Explored(reordered(candidates, places), propensities, is_lent)

    @property
    def settings(self) -> ThompsonSettings:
        """How many places are lent."""
        return self.model.settings

    def _worth_a_try(self, columns: Places, features: Floats, baseline: float | None) -> Places:
        if baseline is None or not len(columns):
            return columns
        chances = self.model.chance_above(features[columns], baseline)
        return columns[chances >= self.settings.give_up]

    def _numbers(self, k: int, most: int, rng: np.random.Generator) -> tuple[int, Values]:
        """Draw how many places are lent; give it and the probability of 0, 1, ... places."""
        whole, rest = divmod(self.settings.quota * k, 1)
        chances = np.zeros(most + 1)
        chances[min(int(whole), most)] += 1 - rest
        chances[min(int(whole) + 1, most)] += rest
        return int(rng.choice(most + 1, p=chances)), chances


def _chances_of(order: Places, chances: Values) -> Values:
    """Give the estimated probability of each item of the pool to be lent a place, (pool,).

    Args:
        order: (1 + draws, pool), the items by their drawn reward; the first draw is the one shown.
        chances: probability of lending 0, 1, ... places.
    """
    found = np.zeros(order.shape[1])
    for n, chance in enumerate(chances):
        if n and chance > 0:
            found += chance * np.bincount(order[:, :n].ravel(), minlength=len(found))
    return found / len(order)
