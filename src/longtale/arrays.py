"""Small pure array helpers and the array types that the whole house shares.

Shape alphabet: B queries, K candidates, T history length, U users, N items, D vector width,
S sources.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Rows = NDArray[np.int32]
"""Inside numbers of users or items; -1 is none."""
Offsets = NDArray[np.int64]
"""Where each segment of a ragged array starts, and one end: (B + 1,)."""
Times = NDArray[np.int64]
"""Microseconds since 1970-01-01 UTC."""
DAY = 86_400_000_000
"""One day in microseconds."""
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_STRIDE = 16  # every so many values tell how large the largest are
_BLOCK = 64  # values; for 10,000 and k = 10 this leaves some hundred to sort


def offsets_of(counts: NDArray[np.integer]) -> Offsets:
    """Turn segment lengths (B,) into offsets (B + 1,).

    Example:
        >>> offsets_of(np.array([2, 0, 1])).tolist()
        [0, 2, 2, 3]
    """
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def segment_rows(offsets: Offsets) -> NDArray[np.int64]:
    """Give for each element of a ragged array the number of its segment.

    Example:
        >>> segment_rows(np.array([0, 2, 2, 3])).tolist()
        [0, 0, 2]
    """
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def segment_positions(offsets: Offsets, segments: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give the element positions of the chosen segments, one segment after the other.

    Example:
        >>> segment_positions(np.array([0, 2, 2, 3]), np.array([2, 0])).tolist()
        [2, 0, 1]
    """
    starts = offsets[segments]
    return runs(starts, offsets[np.asarray(segments) + 1] - starts)


def runs(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give runs of whole numbers, each from its start as many as its count, behind each other.

    Example:
        >>> runs(np.array([7, 0]), np.array([2, 3])).tolist()
        [7, 8, 0, 1, 2]
    """
    shifts = np.repeat(starts - offsets_of(counts)[:-1], counts)
    return np.arange(len(shifts), dtype=np.int64) + shifts


def compact(matrix: sparse.csr_array) -> sparse.csr_array:
    """Give the same matrix with int32 positions, where its size allows.

    All sparse matrices keep to one width: a product of two widths first copies both of them.
    """
    positions = (narrowed(part) for part in (matrix.indices, matrix.indptr))
    return sparse.csr_array((matrix.data, *positions), shape=matrix.shape)


def narrowed(positions: NDArray[np.integer]) -> NDArray[np.integer]:
    """Give positions as int32, where the largest of them allows."""
    fits = positions.max(initial=0) <= np.iinfo(np.int32).max
    return positions.astype(np.int32, copy=False) if fits else positions


def unit_rows(matrix: Floats) -> Floats:
    """Scale each row to length 1; a zero row stays zero."""
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, norms, out=np.zeros_like(matrix), where=norms > 0)


def largest(values: Floats, k: int) -> NDArray[np.int64]:
    """Give the places of the k largest finite values, in any order; fewer where there are fewer.

    Of many values a few tell how large the k largest must be, so that only some are sorted.

    Example:
        >>> sorted(largest(np.array([3, -np.inf, 5, 4], dtype=np.float32), 2).tolist())
        [2, 3]
    """
    some = values[::_STRIDE]
    n_above = 2 * k // _STRIDE + 1
    places = np.arange(len(values))
    if n_above < len(some) // 2:
        least = np.partition(some, -n_above)[-n_above]
        likely = np.flatnonzero(values >= least)
        places = likely if len(likely) >= k else places
    if len(places) > k:
        places = places[np.argpartition(-values[places], k - 1)[:k]]
    return places[np.isfinite(values[places])]


def top_k(scores: Floats, k: int) -> tuple[Rows, Floats]:
    """Give the k best columns of each row, best first; equal scores by lower column first.

    NaN and -inf are never chosen: the end of such a row is padded with item -1 and score NaN.

    Args:
        scores: float32 (B, N).
        k: how many to give, at least 1; the answer is never wider than N.

    Returns:
        item rows, int32 (B, K), and their scores, float32 (B, K), with K = min(k, N).
    """
    n_rows, n_columns = scores.shape
    k = min(k, n_columns)
    items = np.full((n_rows, k), -1, dtype=np.int32)
    values = np.full((n_rows, k), np.nan, dtype=np.float32)
    for row in range(n_rows):
        best = _top_of_row(scores[row], k)
        items[row, : len(best)] = best
        values[row, : len(best)] = scores[row, best]
    return items, values


def _top_of_row(scores: Floats, k: int) -> NDArray[np.int64]:
    usable = np.flatnonzero(scores > -np.inf)  # NaN compares false
    if len(usable) > k:
        kept = scores[usable]
        threshold = _kth_largest(kept, k)
        above = usable[kept > threshold]
        equal = usable[np.flatnonzero(kept == threshold)[: k - len(above)]]
        usable = np.concatenate([above, equal])
        usable.sort()
    return usable[np.argsort(-scores[usable], kind="stable")]


def _kth_largest(values: Floats, k: int) -> np.float32:
    """Give the k-th largest of at least k values.

    The k-th largest of the maxima of blocks is a lower bound, and what exceeds it lies in fewer
    than k blocks: only that is partitioned. Partitioning everything is slow where many values are
    equal, as in sparse scores.
    """
    n_blocks = len(values) // _BLOCK
    if n_blocks > k:
        maxima = values[: n_blocks * _BLOCK].reshape(_BLOCK, n_blocks).max(axis=0)
        bound = np.partition(maxima, n_blocks - k)[n_blocks - k]
        values = values[values > bound]
        if len(values) < k:
            return bound
    return np.partition(values, len(values) - k)[len(values) - k]


def microseconds(moment: datetime) -> int:
    """Give a moment as microseconds since 1970-01-01 UTC; one without a zone is taken as UTC.

    Example:
        >>> microseconds(datetime(1970, 1, 2))
        86400000000
    """
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)
