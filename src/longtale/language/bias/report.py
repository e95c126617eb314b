"""How groups of items fare in a ranking: their places against their part, their accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, segment_rows, top_k
from longtale.data.interactions import Histories
from longtale.errors import DataError
from longtale.language.bias.groups import Groups, checked

Values = NDArray[np.float64]

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % bootstrap interval over requests; NaN where nothing tells it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupBias:
    """How one group fares.

    Args:
        name: of the group.
        n_items: how many items that can be ranked are in it.
        of_catalogue: its share of these items.
        of_relevant: its share of what people chose.
        exposure: its share of the first k places.
        over_catalogue: exposure less the share of the catalogue.
        over_relevant: exposure less the share of what people chose; 0 is fair by merit.
        inside: nDCG of the choices in the group alone.
        outside: nDCG of all other choices alone.
        accuracy_gap: inside less outside.
    """

    name: str
    n_items: int
    of_catalogue: float
    of_relevant: Estimate
    exposure: Estimate
    over_catalogue: Estimate
    over_relevant: Estimate
    inside: Estimate
    outside: Estimate
    accuracy_gap: Estimate


@dataclass(frozen=True)
class BiasReport:
    """How all groups fare, and how good the ranking is for all.

    Args:
        k: how many places count.
        ndcg: mean nDCG@k over requests.
        groups: in the order in which they were named.
    """

    k: int
    ndcg: Estimate
    groups: tuple[GroupBias, ...]

    @property
    def unfairness(self) -> float:
        """Mean over groups of how far exposure lies from what people chose, either way."""
        return float(np.mean([abs(group.over_relevant.value) for group in self.groups]))


def bias_report(
    scores: Floats,
    targets: Histories,
    groups: Groups,
    *,
    rng: np.random.Generator,
    k: int = 10,
    n_bootstrap: int = 500,
) -> BiasReport:
    """Compare what groups of items get in a ranking with what people chose.

    Exposure is the share of the first k places of all requests together. It is held against the
    group's part of the catalogue, and of the choices: the second tells what the ranking adds to
    what people want. Accuracy is nDCG@k with only the choices in the group called relevant, and
    with only the others. Requests are drawn again for the intervals, all numbers with the same
    draws.

    Args:
        scores: float32 (B, N); NaN takes no part, such as what was seen or cannot be shown.
        targets: what each of the B requests chose, each item once.
        groups: by name, bool (N,).
        rng: draws requests.
        k: how many places count.
        n_bootstrap: how many draws.

    Raises:
        DataError: a choice takes no part, a group is empty or everything, or nothing was chosen.
    """
    checked(groups, scores.shape[1])
    ranks, owners = _ranks(scores, targets), segment_rows(targets.offsets)
    shown = top_k(scores, k)[0]
    every = np.ones(len(ranks), dtype=np.bool_)
    columns = [_ndcg(ranks, owners, every, len(scores), k)]
    for mask in groups.values():
        own = mask[targets.items]
        columns += [
            (_count((shown >= 0) & mask[shown]), _count(shown >= 0)),
            (_summed(own, owners, len(scores)), _summed(every, owners, len(scores))),
            _ndcg(ranks, owners, own, len(scores), k),
            _ndcg(ranks, owners, ~own, len(scores), k),
        ]
    draws = _drawn(columns, rng, n_bootstrap)
    can_rank = np.asarray(~np.isnan(scores).all(axis=0))
    told = [
        _told(name, mask & can_rank, can_rank, draws[:, 1 + 4 * number : 5 + 4 * number])
        for number, (name, mask) in enumerate(groups.items())
    ]
    return BiasReport(k, _estimate(draws[:, 0]), tuple(told))


def price(
    before: Floats,
    after: Floats,
    targets: Histories,
    *,
    rng: np.random.Generator,
    k: int = 10,
    n_bootstrap: int = 500,
) -> Estimate:
    """Give what nDCG@k changes from one ranking to another, on the same requests.

    Args:
        before: scores, float32 (B, N), as `bias_report` takes them.
        after: the other ranking's.
        targets: what each request chose.
        rng: draws requests.
        k: how many places count.
        n_bootstrap: how many draws.
    """
    owners = segment_rows(targets.offsets)
    every = np.ones(len(targets.items), dtype=np.bool_)
    columns = [
        _ndcg(_ranks(scores, targets), owners, every, len(scores), k) for scores in (before, after)
    ]
    draws = _drawn(columns, rng, n_bootstrap)
    return _estimate(draws[:, 1] - draws[:, 0])


Column = tuple[Values, Values]
"""What each request adds above and below a fraction: a share or mean is the ratio of the sums."""


def _told(name: str, own: Mask, can_rank: Mask, draws: Values) -> GroupBias:
    exposure, relevant, inside, outside = draws.T
    of_catalogue = float(own.sum() / can_rank.sum())
    return GroupBias(
        name,
        int(own.sum()),
        of_catalogue,
        _estimate(relevant),
        _estimate(exposure),
        _estimate(exposure - of_catalogue),
        _estimate(exposure - relevant),
        _estimate(inside),
        _estimate(outside),
        _estimate(inside - outside),
    )


def _ranks(scores: Floats, targets: Histories) -> Values:
    """Give the rank of each choice, float64 (n,): 1 + better ones + half of the equal ones."""
    ranks = np.empty(len(targets.items))
    for row in range(len(targets)):
        at = slice(targets.offsets[row], targets.offsets[row + 1])
        own = scores[row, targets.items[at]][:, None]
        better, equal = (scores[row] > own).sum(axis=1), (scores[row] == own).sum(axis=1)
        ranks[at] = 1 + better + (equal - 1) / 2
    if (ranks < 1).any() or not len(ranks):
        raise DataError(
            f"{int((ranks < 1).sum())} of {len(ranks)} choices take no part in the ranking (NaN); "
            "give each request at least one choice that can be ranked"
        )
    return ranks


def _ndcg(ranks: Values, owners: NDArray[np.int64], kept: Mask, n_requests: int, k: int) -> Column:
    """Give the nDCG@k of each request that has a choice of this kind, and which ones have."""
    gains = np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)
    counts = _summed(kept, owners, n_requests)
    best = np.concatenate([[1.0], np.cumsum(1 / np.log2(2 + np.arange(k)))])
    ideal = best[np.minimum(counts, k).astype(np.int64)]
    return _summed(gains * kept, owners, n_requests) / ideal, (counts > 0).astype(np.float64)


def _summed(values: NDArray[np.generic], owners: NDArray[np.int64], n_requests: int) -> Values:
    return np.bincount(owners, weights=values, minlength=n_requests).astype(np.float64)


def _count(places: Mask) -> Values:
    return places.sum(axis=1).astype(np.float64)


def _drawn(columns: list[Column], rng: np.random.Generator, n_draws: int) -> Values:
    """Give each column's ratio, (1 + draws, C): first of all requests, then of each draw."""
    above = np.stack([column[0] for column in columns], axis=1)  # (B, C)
    below = np.stack([column[1] for column in columns], axis=1)
    ratios = np.full((1 + n_draws, len(columns)), np.nan)
    for draw in range(1 + n_draws):
        drawn = rng.integers(len(above), size=len(above))
        weights = np.bincount(drawn, minlength=len(above)) if draw else np.ones(len(above))
        sums = weights @ below
        np.divide(weights @ above, sums, out=ratios[draw], where=sums > 0)
    return ratios


def _estimate(draws: Values) -> Estimate:
    value, drawn = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    if np.isnan(value) or not len(drawn):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))
