"""How attention is shared among groups of items, and what it costs to share it otherwise.

Attention falls with the rank as 1 / log2(1 + p). What a group gets of it is held against its merit,
the share of what people wanted that was of that group (Singh and Joachims, 2018, arXiv:1802.07281;
Biega, Gummadi and Weikum, 2018, arXiv:1805.01788: over many rankings together). `parts` is
everywhere float64 (N, G), which part of each item belongs to each group, such as a provider; items
of no group take no part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from longtale.arrays import Rows, segment_rows
from longtale.data.interactions import Histories
from longtale.evaluate.accuracy import TargetRanks, Values, ndcg
from longtale.evaluate.intervals import PairedTest, paired_test


def exposure_shares(items: Rows, parts: sparse.csr_array) -> Values:
    """Give the share of attention that falls on each group in all lists together, float64 (G,).

    Args:
        items: int32 (B, k), the lists, -1 is padding.
        parts: float64 (N, G).

    Returns:
        shares that sum to 1, NaN where nothing with a group was shown.

    Example:
        >>> parts = sparse.csr_array(np.eye(2))
        >>> exposure_shares(np.int32([[0, 1, -1]]), parts).round(3).tolist()
        [0.613, 0.387]
    """
    shown = items >= 0
    attention = 1 / np.log2(2 + np.arange(items.shape[1]))
    weights = np.broadcast_to(attention, items.shape)[shown]
    return _shares(np.bincount(items[shown], weights, minlength=parts.shape[0]) @ parts)


def merit_shares(merit: Values, parts: sparse.csr_array) -> Values:
    """Give the share of merit that each group has, float64 (G,).

    Args:
        merit: (N,), what each item is worth, not negative: how often it was wanted on a validation
            fold, or the sum of what a model expects of it. How often it was shown is no merit.
        parts: float64 (N, G).
    """
    return _shares(np.asarray(merit, dtype=np.float64) @ parts)


def wanted(targets: Histories, n_items: int) -> Values:
    """Count how often each item was wanted, float64 (N,): merit as people's choices show it."""
    return np.bincount(targets.items, minlength=n_items).astype(np.float64)


def inequity(exposure: Values, merit: Values) -> float:
    """Give the share of attention that would have to move for each group to get what it merits.

        1/2 Σ_g |e_g - m_g|,    from 0 to 1

    Half the amortised inequity of attention of Biega et al. (2018), so that it is a share.
    """
    return float(np.abs(exposure - merit).sum() / 2)


def exposure_per_merit(exposure: Values, merit: Values) -> Values:
    """Give e_g / m_g of each group, (G,): 1 is fair, NaN where nothing is merited.

    Its ratio between two groups is the disparate treatment of Singh and Joachims (2018).
    """
    return np.divide(exposure, merit, out=np.full(len(merit), np.nan), where=merit > 0)


def ranks_in_lists(items: Rows, targets: Histories) -> TargetRanks:
    """Find each target in the list of its user; what is not in it has the rank infinity.

    Args:
        items: int32 (B, k), -1 is padding.
        targets: relevant items of each of the B users.
    """
    own = items[segment_rows(targets.offsets)]  # (n, k)
    stands = own == targets.items[:, None]
    ranks = np.where(stands.any(axis=1), 1.0 + stands.argmax(axis=1), np.inf)
    return TargetRanks(targets.offsets, ranks, (items >= 0).sum(axis=1))


@dataclass(frozen=True)
class Price:
    """What one way of making lists costs against another, and what it brings.

    Args:
        before: mean nDCG at the length of the lists, before.
        after: the same, after.
        test: the paired difference, after minus before.
        inequity_before: `inequity` of the lists before.
        inequity_after: the same, after.
    """

    before: float
    after: float
    test: PairedTest
    inequity_before: float
    inequity_after: float


def price(
    before: Rows,
    after: Rows,
    targets: Histories,
    parts: sparse.csr_array,
    merit: Values,
    *,
    rng: np.random.Generator,
) -> Price:
    """Measure what fairer lists cost in accuracy.

    Args:
        before: int32 (B, k), the lists as they were.
        after: int32 (B, k), the same requests answered otherwise.
        targets: what each of the B users wanted.
        parts: float64 (N, G).
        merit: float64 (G,), shares of merit, from other targets than these.
        rng: draws the bootstrap and the flips of the test.
    """
    k = before.shape[1]
    first, second = (ndcg(ranks_in_lists(lists, targets), k) for lists in (before, after))
    return Price(
        float(np.nanmean(first)),
        float(np.nanmean(second)),
        paired_test(second, first, rng=rng),
        inequity(exposure_shares(before, parts), merit),
        inequity(exposure_shares(after, parts), merit),
    )


def _shares(amounts: Values) -> Values:
    total = amounts.sum()
    return np.asarray(amounts / total if total > 0 else np.full(len(amounts), np.nan))
