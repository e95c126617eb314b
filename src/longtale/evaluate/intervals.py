"""How sure a number is: bootstrap intervals over users, paired tests between two models.

The user is the unit that is drawn, because one user's events are not independent (Efron and
Tibshirani, 1993; for retrieval metrics Sakai, 2006). All models are resampled with the same draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats
from longtale.evaluate.accuracy import Values

_DRAWS_AT_ONCE = 2_000_000  # bounds the memory of the weights to 8 MB


@dataclass(frozen=True)
class PairedTest:
    """How much better one model is than another on the same users.

    Args:
        difference: mean over users of the first model's value minus the second's.
        low: lower end of the interval of the difference.
        high: upper end.
        p: two-sided probability of such a difference if it were chance which model is which.
        n: number of users.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int


def bootstrap_intervals(
    values: Values,
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> tuple[Values, Values]:
    """Give the percentile interval of each column's mean over users.

    Args:
        values: float64 (B, C), one row per user; NaN is left out of the mean.
        rng: where the draws come from.
        n_bootstrap: how many times B users are drawn with replacement.
        confidence: probability that the interval is to hold, between 0 and 1.

    Returns:
        lower and upper ends, each (C,); NaN where there is nothing to draw from.
    """
    n_users, n_columns = values.shape
    if values.size == 0 or n_bootstrap == 0:
        return np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    known = ~np.isnan(values)
    is_empty = ~known.any(axis=0)
    known |= is_empty
    centres = np.where(is_empty, np.nan, np.nansum(values, axis=0) / known.sum(axis=0))
    # Around its mean a column loses nothing in float32, whose products take half the time.
    gaps = np.nan_to_num(values - centres).astype(np.float32)
    is_whole = bool(known.all())
    shifts = []
    for weights in _weights(n_users, n_bootstrap, rng):
        sums = weights @ gaps
        counts = weights @ known.astype(np.float32) if not is_whole else np.float32(n_users)
        shifts.append(np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0))
    low, high = _ends(np.concatenate(shifts), confidence)
    return centres + low, centres + high


def paired_test(
    first: Values,
    second: Values,
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> PairedTest:
    """Compare two models on the same users.

    The interval is the bootstrap's; p is that of a sign-flip permutation test of the mean
    difference with as many random flips, (1 + #{|flipped| >= |observed|}) / (1 + flips), so never
    below 1 / (1 + flips).

    Args:
        first: float64 (B,), the metric of each user under one model.
        second: float64 (B,), under the other; a user with NaN in either is left out.
        rng: where the draws come from.
        n_bootstrap: how many draws, and how many flips.
        confidence: probability that the interval is to hold.
    """
    gaps = first - second
    gaps = gaps[~np.isnan(gaps)]
    if len(gaps) == 0:
        return PairedTest(np.nan, np.nan, np.nan, np.nan, 0)
    low, high = bootstrap_intervals(
        gaps[:, None], rng=rng, n_bootstrap=n_bootstrap, confidence=confidence
    )
    p = _flip_probability(gaps, n_bootstrap, rng)
    return PairedTest(float(gaps.mean()), float(low[0]), float(high[0]), p, len(gaps))


def crossed_interval(
    parts: Values,
    shares: Values,
    users: NDArray[np.integer],
    items: NDArray[np.integer],
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Give the interval of a mean over users, where which items were asked for is chance too.

    Where a few items hold most of the answers, drawing users alone takes these items for certain.
    Here users and items are drawn, and each part counts as often as both were:

        Σ w_u w_i x_ui  /  Σ w_u w_i s_ui

    which errs to the wide side (Owen 2007, the pigeonhole bootstrap, arXiv:0712.1111).

    Args:
        parts: float64 (n,), what one item adds to the value of one user; a user's parts sum to it.
        shares: float64 (n,), which part of the user that is; a user's shares sum to 1.
        users: int (n,), whose part it is.
        items: int (n,), on which item.
        rng: where the draws come from.
        n_bootstrap: how many draws.
        confidence: probability that the interval is to hold.

    Returns:
        lower and upper end; NaN where there is nothing to draw from.
    """
    if len(parts) == 0 or n_bootstrap == 0:
        return np.nan, np.nan
    places = [np.unique(each, return_inverse=True)[1] for each in (users, items)]
    counts = [int(each.max()) + 1 for each in places]
    means = np.full(n_bootstrap, np.nan)
    for draw in range(n_bootstrap):
        drawn = [np.bincount(rng.integers(n, size=n), minlength=n) for n in counts]
        weights = (drawn[0][places[0]] * drawn[1][places[1]]).astype(np.float64)
        whole = weights @ shares
        if whole > 0:
            means[draw] = (weights @ parts) / whole
    low, high = _ends(means[:, None], confidence)
    return float(low[0]), float(high[0])


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct for testing several hypotheses at once (Holm, 1979), (n,).

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return corrected


def _weights(n_users: int, n_draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Give how often each user was drawn, (draws, B), a few draws at a time."""
    at_once = max(1, _DRAWS_AT_ONCE // n_users)
    for start in range(0, n_draws, at_once):
        size = min(at_once, n_draws - start)
        weights = np.empty((size, n_users), dtype=np.float32)
        for row, users in enumerate(rng.integers(n_users, size=weights.shape, dtype=np.int32)):
            weights[row] = np.bincount(users, minlength=n_users)
        yield weights


def _ends(shifts: NDArray[np.floating], confidence: float) -> tuple[Values, Values]:
    """Give the quantiles of the draws, (C,); a draw that held no value of a column is left out."""
    outside = (1 - confidence) / 2
    quantiles = np.nanquantile if np.isnan(shifts).any() else np.quantile
    low, high = quantiles(shifts.astype(np.float64), [outside, 1 - outside], axis=0)
    return low, high


def _flip_probability(gaps: Values, n_flips: int, rng: np.random.Generator) -> float:
    moving = gaps[gaps != 0]  # a tie stays a tie when it is flipped
    if len(moving) == 0:
        return 1.0
    observed = abs(moving.sum())
    extreme = 1
    at_once = max(1, _DRAWS_AT_ONCE // len(moving))
    for start in range(0, n_flips, at_once):
        size = min(at_once, n_flips - start)
        flips = rng.integers(2, size=(size, len(moving)), dtype=np.int8)
        sums = 2 * (flips @ moving) - moving.sum()
        extreme += int(np.count_nonzero(np.abs(sums) >= observed * (1 - 1e-12)))
    return extreme / (1 + n_flips)
