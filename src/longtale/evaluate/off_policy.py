"""What a new way of recommending would have earned, judged on slates that an old one showed.

A log knows only what was shown. Each impression is weighed by how much more often the new policy
would have shown that item at that rank, w = π(i, p | x) / π₀(i, p | x), with π₀ the propensity that
was recorded; where the log never explored, nothing can be said. The reward of a slate is taken as
the sum over its ranks, and what happens at a rank as depending on the item and the rank only (the
item-position model of Li et al., 2018, arXiv:1804.10488): a click must not hang on the neighbours.

    IPS    1/S Σ_s Σ_p w r                             unbiased           Horvitz and Thompson, 1952
    SNIPS  Σ_p (Σ_s w r / Σ_s w) · (share of slates    consistent,        Swaminathan and Joachims,
           that reach p)                               less variance      2015
    DR     1/S Σ_s Σ_p (m_π + w (r - m))               unbiased if w or   Dudík, Langford and Li,
                                                       m is right         2011, arXiv:1103.4601

over S slates s and ranks p, with m what a model of the reward expects of the shown item at its rank
and m_π what it expects at that rank under the new policy. Weights are clipped at a largest value,
which trades a bias towards 0 (DR: towards the model) for variance; the share of clipped weights is
reported. The names follow Saito and Joachims, 2021 (counterfactual learning and evaluation).

The effective sample size (Σ w)² / Σ w² (Kish, 1965) says how many impressions the weights leave;
where it falls below a share of the impressions at any rank, the estimate is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.errors import DataError
from longtale.evaluate.accuracy import Values
from longtale.evaluate.logged_slates import ROUNDING, LoggedSlates
from longtale.settings import Settings

_DRAWS_AT_ONCE = 4_000_000  # bounds the memory of the bootstrap's counts to 32 MB


class OffPolicySettings(Settings):
    """How logged slates are weighed, and when no estimate is given."""

    max_weight: float = Field(default=50.0, gt=0)
    """Weights above this are clipped to it."""
    least_ess: float = Field(default=0.05, ge=0, le=1)
    """Least effective sample size, as a share of the impressions at each rank."""
    n_bootstrap: int = Field(default=1000, ge=0, le=100_000)
    """How often the slates are drawn again for the intervals; 0 gives none."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Probability that an interval is to hold."""


@dataclass(frozen=True, eq=False)
class RewardModel:
    """What a model of the reward expects; it must not have learned from the same slates.

    Args:
        shown: float64 (n,), m: expected reward of the item that was shown, at its rank.
        new: float64 (n,), m_π: expected reward at that rank of that slate under the new policy,
            Σ_i π(i, p | x) m(i, p, x).
    """

    shown: Values
    new: Values


@dataclass(frozen=True)
class Estimate:
    """The reward that a slate of the new policy would earn.

    Args:
        method: ips, snips or dr.
        value: estimated mean reward of a slate.
        low: lower end of the bootstrap interval over slates.
        high: upper end.
        ess: effective sample size of all n impressions.
        least_ess_share: the smallest effective sample size of any rank, as a share of the
            impressions at that rank.
        clipped: share of the weights that were clipped.
        n_slates: S.
    """

    method: str
    value: float
    low: float
    high: float
    ess: float
    least_ess_share: float
    clipped: float
    n_slates: int


def ips(
    logged: LoggedSlates,
    new: Values,
    settings: OffPolicySettings | None = None,
    *,
    rng: np.random.Generator,
) -> Estimate:
    """Estimate by inverse propensity scores; see the head of this module.

    Args:
        logged: n impressions.
        new: float64 (n,), probability with which the new policy would show this item at this rank.
        settings: clipping, refusal and intervals; None takes the defaults.
        rng: draws the bootstrap.

    Raises:
        DataError: the weights leave too few impressions to say anything.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> clicks, first = np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4, dtype=np.int64)
        >>> logged = LoggedSlates(np.arange(4), first, np.full(4, 0.5), clicks)
        >>> ips(logged, new=clicks, rng=rng).value
        1.0
    """
    weighed = _Weighed.of(logged, new, settings)
    earned = weighed.per_slate(weighed.weights * logged.rewards)
    return weighed.estimate("ips", earned[:, None], None, rng)


def snips(
    logged: LoggedSlates,
    new: Values,
    settings: OffPolicySettings | None = None,
    *,
    rng: np.random.Generator,
) -> Estimate:
    """Estimate by self-normalised inverse propensity scores, rank by rank; arguments as in `ips`.

    The weights of each rank are divided by their sum there, so that the estimate lies within the
    rewards that were seen, and a constant added to all rewards is added to the estimate.

    Raises:
        DataError: the weights leave too few impressions to say anything.
    """
    weighed = _Weighed.of(logged, new, settings)
    shape = (logged.n_slates, weighed.n_ranks)
    earned, weights, shown = np.zeros((3, *shape))
    places = (logged.slates, logged.ranks - 1)
    earned[places] = weighed.weights * logged.rewards
    weights[places] = weighed.weights
    shown[places] = 1
    return weighed.estimate("snips", earned, (weights, shown), rng)


def doubly_robust(
    logged: LoggedSlates,
    new: Values,
    model: RewardModel,
    settings: OffPolicySettings | None = None,
    *,
    rng: np.random.Generator,
) -> Estimate:
    """Estimate by a model of the reward whose errors are corrected by the weights.

    Args:
        logged: n impressions.
        new: float64 (n,), probability with which the new policy would show this item at this rank.
        model: what was expected; the better it is, the less the estimate varies.
        settings: clipping, refusal and intervals; None takes the defaults.
        rng: draws the bootstrap.

    Raises:
        DataError: the weights leave too few impressions to say anything.
    """
    weighed = _Weighed.of(logged, new, settings)
    corrected = model.new + weighed.weights * (logged.rewards - model.shown)
    return weighed.estimate("dr", weighed.per_slate(corrected)[:, None], None, rng)


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Impressions with their clipped weights, (n,)."""

    logged: LoggedSlates
    weights: Values
    clipped: float
    settings: OffPolicySettings

    @classmethod
    def of(cls, logged: LoggedSlates, new: Values, settings: OffPolicySettings | None) -> Self:
        settings = OffPolicySettings() if settings is None else settings
        new = np.asarray(new, dtype=np.float64)
        if new.shape != logged.ranks.shape or not ((new >= 0) & (new <= 1 + ROUNDING)).all():
            raise DataError(
                f"the new policy needs a probability from 0 to 1 for each of {len(logged)} "
                f"impressions, that of showing this item at this rank; got shape {new.shape}, "
                f"values from {new.min(initial=0)} to {new.max(initial=0)}"
            )
        weights = new / logged.propensities
        is_clipped = weights > settings.max_weight
        weights = np.minimum(weights, settings.max_weight)
        share = float(is_clipped.mean()) if len(is_clipped) else 0.0
        weighed = cls(logged, weights, share, settings)
        weighed._refuse_too_few()
        return weighed

    @property
    def n_ranks(self) -> int:
        return int(self.logged.ranks.max(initial=0))

    def per_slate(self, values: Values) -> Values:
        """Add up impressions, (n,), to slates, (S,)."""
        return _sums(self.logged.slates, values, self.logged.n_slates)

    def least_ess_share(self) -> tuple[float, int]:
        """Give the smallest share of impressions that a rank's weights leave, and that rank."""
        counts = np.bincount(self.logged.ranks)
        totals, squares = (_sums(self.logged.ranks, self.weights**n, len(counts)) for n in (1, 2))
        sizes = _ess(totals, squares)
        used = np.flatnonzero(counts)
        shares = sizes[used] / counts[used]
        return float(shares.min()), int(used[shares.argmin()])

    def estimate(
        self,
        method: str,
        earned: Values,
        normal: tuple[Values, Values] | None,
        rng: np.random.Generator,
    ) -> Estimate:
        """Put the number together with how sure it is; see `_value` for the arguments."""
        whole = np.ones((1, len(earned)))
        value = float(_value(whole, earned, normal)[0])
        drawn = [_value(counts, earned, normal) for counts in self._draws(len(earned), rng)]
        low, high = np.nan, np.nan
        if drawn:
            outside = (1 - self.settings.confidence) / 2
            ends = np.nanquantile(np.concatenate(drawn), [outside, 1 - outside])
            low, high = float(ends[0]), float(ends[1])
        ess = float(_ess(self.weights.sum(), (self.weights**2).sum()))
        least, _ = self.least_ess_share()
        n_slates = self.logged.n_slates
        return Estimate(method, value, low, high, ess, least, self.clipped, n_slates)

    def _draws(self, n_slates: int, rng: np.random.Generator) -> Iterator[Values]:
        """Give how often each slate was drawn, (draws, S), a few draws at a time."""
        n_left, at_once = self.settings.n_bootstrap, max(1, _DRAWS_AT_ONCE // n_slates)
        while n_left > 0:
            size = min(at_once, n_left)
            counts = np.empty((size, n_slates))
            for row in range(size):
                drawn = rng.integers(n_slates, size=n_slates)
                counts[row] = np.bincount(drawn, minlength=n_slates)
            yield counts
            n_left -= size

    def _refuse_too_few(self) -> None:
        if not len(self.logged):
            raise DataError("there is no impression to estimate from; log slates with propensities")
        share, rank = self.least_ess_share()
        if share < self.settings.least_ess or share == 0:
            raise DataError(
                f"at rank {rank} the weights leave {share:.1%} of the impressions as effective "
                f"sample, at least {self.settings.least_ess:.0%} are needed: the log shows too "
                f"seldom what the new policy would show; log with more exploration, evaluate a "
                f"policy nearer to the old one, or leave that rank out"
            )


def _value(counts: Values, earned: Values, normal: tuple[Values, Values] | None) -> Values:
    """Give the mean reward of a slate for each draw of slates, (draws,).

    Args:
        counts: (draws, S), how often each slate was drawn.
        earned: (S, P), weighed rewards, of each rank or of the whole slate.
        normal: weights and presence of each rank, each (S, P), to normalise by; None is by S.
    """
    n_slates = counts.sum(axis=1, keepdims=True)
    sums = counts @ earned
    if normal is None:
        return np.asarray((sums / n_slates).sum(axis=1))
    weights, shown = (counts @ part for part in normal)
    # A draw may hold no weight at a rank: it says nothing, and is left out of the interval.
    rates = np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)
    rates[shown == 0] = 0
    return np.asarray((rates * shown / n_slates).sum(axis=1))


def _ess(total: Values | float, squares: Values | float) -> Values:
    """Give (Σ w)² / Σ w², 0 where there is no weight."""
    squares = np.asarray(squares, dtype=np.float64)
    return np.divide(np.square(total), squares, out=np.zeros_like(squares), where=squares > 0)


def _sums(groups: NDArray[np.int64], values: Values, n_groups: int) -> Values:
    """Add up the values of each group, float64 (n_groups,)."""
    return np.bincount(groups, values, minlength=n_groups).astype(np.float64)
