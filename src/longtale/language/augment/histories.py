"""Histories cut short or put into another order (CL4SRec; Xie et al. 2020, arXiv:2010.14474)."""

from __future__ import annotations

import numpy as np

from longtale.arrays import Rows


def cropped(history: Rows, *, share: float, rng: np.random.Generator) -> Rows:
    """Give a run of a history that begins anywhere; what is in it keeps its order.

    Args:
        history: int32 (T,), the oldest first.
        share: length of the run as a share of T, at least one item, 0 to 1.
        rng: the dice.

    Returns:
        int32 (max(1, round(share T)),); an empty history stays empty.

    Example:
        >>> cropped(np.arange(6, dtype=np.int32), share=0.5, rng=np.random.default_rng(0)).tolist()
        [3, 4, 5]
    """
    start, end = _run(len(history), share, rng)
    return history[start:end].copy()


def reordered(history: Rows, *, share: float, rng: np.random.Generator) -> Rows:
    """Put a run of a history into a random order; all else stays where it is.

    Args:
        history: int32 (T,), the oldest first.
        share: length of the run as a share of T, 0 to 1.
        rng: the dice.

    Returns:
        int32 (T,), the same items.

    Example:
        >>> reordered(np.arange(6, dtype=np.int32), share=.5, rng=np.random.default_rng(0)).tolist()
        [0, 1, 2, 5, 3, 4]
    """
    start, end = _run(len(history), share, rng)
    changed = history.copy()
    changed[start:end] = rng.permutation(changed[start:end])
    return changed


def _run(n: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    length = min(n, max(1, round(share * n)))
    start = int(rng.integers(n - length + 1))
    return start, start + length
