"""Which groups each item belongs to: brands, providers, authors, genres.

Groups come as codes, int32 (N, M): up to M groups of each of N items, numbered from 0 up, -1 is
none. An item of several groups belongs to each in equal parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from longtale.arrays import Rows


def joined(columns: Sequence[Rows]) -> Rows:
    """Put several columns of groups side by side, each with numbers of its own.

    Args:
        columns: of each int32 (N, M), codes from 0 up, -1 is none.

    Returns:
        int32 (N, sum of M).

    Example:
        >>> joined([np.int32([[0], [1]]), np.int32([[0], [-1]])]).tolist()
        [[0, 2], [1, -1]]
    """
    shifted, start = [], 0
    for codes in columns:
        shifted.append(np.where(codes < 0, -1, codes + start))
        start += n_groups(codes)
    return np.concatenate(shifted, axis=1).astype(np.int32)


def n_groups(codes: Rows) -> int:
    """Give G, one more than the largest code."""
    return int(codes.max(initial=-1)) + 1


def shares(codes: Rows) -> sparse.csr_array:
    """Give which part of each item belongs to each group, float64 (N, G); an item's parts sum to 1.

    Example:
        >>> shares(np.int32([[0, 2], [1, -1]])).toarray().tolist()
        [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]
    """
    belongs = codes >= 0
    n_own = belongs.sum(axis=1)
    items = np.repeat(np.arange(len(codes)), n_own)
    parts = np.repeat(1 / np.maximum(n_own, 1), n_own)
    return sparse.csr_array((parts, (items, codes[belongs])), shape=(len(codes), n_groups(codes)))
