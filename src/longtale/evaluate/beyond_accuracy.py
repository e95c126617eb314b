"""What the lists are like, whether or not anyone wanted what is in them.

All on the first k items of B lists, int32 (B, k) with -1 as padding. `coverage` and `gini` are
numbers of all lists together; the others give one number per list, (B,), a mean over the items that
it holds, and NaN where it holds too few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows, unit_rows
from longtale.evaluate.accuracy import Values

_CHUNK = 1024  # lists whose item vectors are in memory at once


def exposures(items: Rows, n_items: int) -> NDArray[np.int64]:
    """Count in how many lists each item stands, (N,)."""
    return np.bincount(items[items >= 0], minlength=n_items)


def coverage(exposure: NDArray[np.integer]) -> float:
    """Give the share of the catalogue that stands in at least one list: #{i: x_i > 0} / N.

    Source: Herlocker et al., 2004, catalogue coverage.

    Args:
        exposure: (N,), x_i, in how many lists each item that could be shown stands.
    """
    return float(np.mean(exposure > 0)) if len(exposure) else float("nan")


def gini(exposure: NDArray[np.integer]) -> float:
    """Give how unequally attention falls on the items, from 0 (all alike) to 1 (all to one).

        Σ_i (2 i - N - 1) x_(i)  /  (N Σ_i x_i)

    with x_(1) <= ... <= x_(N) the numbers of lists in which each item stands, items that stand in
    none included. Source: Shani and Gunawardana, 2011.

    Args:
        exposure: (N,), x_i.
    """
    total = exposure.sum()
    if total == 0:
        return float("nan")
    n_items = len(exposure)
    places = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(places @ np.sort(exposure) / (n_items * total))


def novelty(items: Rows, n_consumers: NDArray[np.integer], n_users: int) -> Values:
    """Give the mean surprise of a list's items in bits.

        mean_i -log2( max(c_i, 1) / U )

    with c_i the number of users who interacted with item i in the training data and U the number of
    users who interacted with anything there: the chance that a random active user knows the item.
    An item that nobody touched counts as if one had. Source: Zhou et al., 2010, mean
    self-information.

    Args:
        items: int32 (B, k), -1 is padding.
        n_consumers: (N,), c_i.
        n_users: U.
    """
    bits = np.log2(max(n_users, 1)) - np.log2(np.maximum(n_consumers, 1))
    return _mean_over_list(items, bits)


def popularity(items: Rows, n_interactions: NDArray[np.integer]) -> Values:
    """Give the mean number of training interactions of a list's items.

    Its mean over users is the average recommendation popularity of Yin et al., 2012.
    """
    return _mean_over_list(items, n_interactions.astype(np.float64))


def tail_share(items: Rows, is_tail: Mask) -> Values:
    """Give the share of a list's items that are of the tail or new.

    Its mean over users is the average percentage of long-tail items of Abdollahpouri et al., 2017.

    Args:
        items: int32 (B, k), -1 is padding.
        is_tail: bool (N,).
    """
    return _mean_over_list(items, is_tail.astype(np.float64))


def diversity(items: Rows, vectors: Floats) -> Values:
    """Give 1 - the mean cosine of all pairs of a list's items.

    Items without a vector (a zero row) are left out; fewer than two others are NaN. The pairs are
    not formed: Σ_{i≠j} v_i·v_j = |Σ v_i|² - m for m unit vectors. Source: Ziegler et al., 2005,
    intra-list similarity.

    Args:
        items: int32 (B, k), -1 is padding.
        vectors: float32 (N, D), of any length.
    """
    units = unit_rows(vectors)
    has_vector = np.count_nonzero(units, axis=1) > 0
    counted = (items >= 0) & has_vector[items]
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(items), _CHUNK)]
    parts = [_cosine_diversity(items[chunk], counted[chunk], units) for chunk in chunks]
    return np.concatenate([np.empty(0), *parts])


def _cosine_diversity(items: Rows, counted: Mask, units: Floats) -> Values:
    found = units[items] * counted[:, :, None]  # (B, k, D)
    squares = np.square(found.sum(axis=1), dtype=np.float64).sum(axis=1)
    n_vectors = counted.sum(axis=1)
    pairs = n_vectors * (n_vectors - 1)
    similar = np.divide(
        squares - n_vectors, pairs, out=np.full(len(items), np.nan), where=pairs > 0
    )
    return 1 - similar


def _mean_over_list(items: Rows, values: NDArray[np.float64]) -> Values:
    listed = items >= 0
    totals = np.where(listed, values[np.maximum(items, 0)], 0.0).sum(axis=1)
    counts = listed.sum(axis=1)
    return np.divide(totals, counts, out=np.full(len(items), np.nan), where=counts > 0)
