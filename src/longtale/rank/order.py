"""Orders of candidates: places, what an order is worth, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Offsets, segment_rows


@dataclass(frozen=True)
class Difference:
    """A mean difference between two orders over n requests, with its interval."""

    mean: float
    low: float
    high: float
    n: int


def places(scores: Floats, offsets: Offsets) -> NDArray[np.int64]:
    """Give each candidate's place in its request, from 0; equal scores keep their order.

    Args:
        scores: float32 (R,), larger is better.
        offsets: int64 (G + 1,), where each request's candidates are.

    Example:
        >>> places(np.array([1.0, 3.0, 2.0, 5.0], dtype=np.float32), np.array([0, 3, 4])).tolist()
        [2, 0, 1, 0]
    """
    owners = segment_rows(offsets)
    order = np.lexsort((-scores, owners))
    found = np.empty(len(scores), dtype=np.int64)
    found[order] = np.arange(len(scores)) - offsets[owners]
    return found


def ndcg(
    ranks: NDArray[np.int64],
    is_target: Mask,
    offsets: Offsets,
    n_targets: NDArray[np.int64],
    cutoff: int,
) -> NDArray[np.float64]:
    """Give the nDCG of each request's first candidates, (G,).

    Args:
        ranks: (R,), each candidate's place from 0.
        is_target: bool (R,).
        offsets: int64 (G + 1,).
        n_targets: (G,), relevant items, also those that are no candidates; at least 1.
        cutoff: length of the list.
    """
    hits = np.flatnonzero(is_target & (ranks < cutoff))
    gained = np.bincount(
        segment_rows(offsets)[hits], 1 / np.log2(ranks[hits] + 2), minlength=len(n_targets)
    )
    ideal = np.cumsum(1 / np.log2(np.arange(2, cutoff + 2)))
    return gained / ideal[np.minimum(n_targets, cutoff) - 1]


def bootstrap_difference(
    gains: NDArray[np.float64],
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> Difference:
    """Give the mean and its percentile interval when requests are drawn with replacement.

    Args:
        gains: (n,), what one order gained over the other in each request.
        rng: draws the requests.
        n_bootstrap: how often n requests are drawn.
        confidence: probability that the interval is to hold.
    """
    # Most gains are 0, and only how often the others are drawn matters.
    moving = gains[gains != 0]
    n_drawn = rng.binomial(len(gains), len(moving) / len(gains), size=n_bootstrap)
    means = [rng.choice(moving, n).sum() / len(gains) if n else 0.0 for n in n_drawn]
    outside = (1 - confidence) / 2
    low, high = np.quantile(means, [outside, 1 - outside])
    return Difference(float(gains.mean()), float(low), float(high), len(gains))
