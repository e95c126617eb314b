"""What a request says to a model that learned from behaviour, and where such a model is silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from longtale.arrays import Floats, Mask
from longtale.data.interactions import Histories


def interest(
    histories: Histories,
    known: Mask,
    *,
    binary: bool,
    half_life: float | None = None,
) -> sparse.csr_array:
    """Give interest in the items that a model knows, float32 (B, N).

    Args:
        histories: B histories; items that the model does not know, also those that came to the
            catalogue later, are passed over.
        known: bool (N,), items that the model has learned something about.
        binary: an item counts 1, however often and however strongly it was liked.
        half_life: how many events later an event counts half; None counts all alike.

    Example:
        >>> liked = Histories.of([[0, 2, 0], [1]])
        >>> interest(liked, np.array([True, False, True]), binary=True).toarray().tolist()
        [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    n_items = len(known)
    inside = np.minimum(histories.items, n_items - 1)
    kept = (histories.items < n_items) & known[inside]
    usable = histories if kept.all() else histories.where(kept)
    weights = np.ones_like(usable.weights) if binary else usable.weights
    if half_life is not None:
        ends = np.repeat(usable.offsets[1:], usable.lengths)
        ages = ends - 1 - np.arange(len(usable.items))
        weights = weights * np.exp2(-ages / half_life).astype(np.float32)
    matrix = replace(usable, weights=weights).matrix(n_items)
    if binary:
        np.minimum(matrix.data, 1, out=matrix.data)
    return matrix


def silent(scores: Floats, interests: sparse.csr_array, known: Mask) -> Floats:
    """Put NaN where a model cannot say: at unknown items, and for requests without any interest.

    Args:
        scores: float32 (B, N).
        interests: what `interest` gave for these requests.
        known: bool (N,).
    """
    heard = np.where(known, scores, np.float32(np.nan))
    heard[np.diff(interests.indptr) == 0] = np.nan
    return heard
