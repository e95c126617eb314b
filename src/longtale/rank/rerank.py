"""What every reranker shares: the contract, a greedy choice, and the score of a place.

A reranker chooses from the K candidates of a request the k that make the slate. It weighs what the
candidates are worth by themselves against what they are together, so it chooses one after the
other, each time the candidate that adds most: exact choice is NP-hard for all of them, and greedy
choice reaches 1 - 1/e of the best for submodular objectives (Nemhauser et al., 1978).

**The score of a place.** The objective of a reranker depends on what was chosen before and means
nothing to who reads the slate, so it is not shown. What is given back for place p is the least own
score among the items up to p: each item up to there is worth at least so much by itself. It never
says more than the item's own score, never rises, and is that very score where nothing was moved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Mask
from longtale.data.candidates import Candidates
from longtale.data.query import Queries

Values = NDArray[np.float64]
Places = NDArray[np.int64]
"""Columns of candidates; -1 is none."""


class Reranker(Protocol):
    """Makes a slate of the candidates that it is given.

    Laws: only items it was given, each once, as many as there are up to k; padding only at the end
    and without effect; the first k as they were at strength 0; a batch equals singles;
    deterministic; the score of a place is the least own score up to there.
    """

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        """Give the slates of B requests, of width min(k, K), in the order to be shown.

        Args:
            queries: B requests.
            candidates: K of each, best first.
            k: length of the slate, at least 1.
        """
        ...


class Objective(Protocol):
    """What a greedy choice climbs, for B requests at once; it remembers what was taken."""

    def gains(self) -> Values:
        """Give what each candidate would add to what was taken, float64 (B, K), finite."""
        ...

    def take(self, places: Places) -> None:
        """Add one candidate of each request, int64 (B,)."""
        ...


def usable(candidates: Candidates) -> Mask:
    """Say which candidates are items and not padding, bool (B, K)."""
    return candidates.items >= 0


def relevance(candidates: Candidates) -> Values:
    """Bring scores to a scale that does not depend on who made them: 1 for the best, -1 midway.

        1 - 2 (s_1 - s_p) / (s_1 - s_m)

    with s_p the score at place p and s_m the one in the middle of the candidates, or the last where
    the first half is equal. The middle and not the worst sets the scale, since one hopeless
    candidate would make all others alike. From 1 to -1 is the range of a cosine, against which
    relevance is weighed: so half a dial is half way.

    Args:
        candidates: K of each of B requests.

    Returns:
        float64 (B, K), at most 1, 1 everywhere where all are equal; 0 for padding.
    """
    n_items = usable(candidates).sum(axis=1)
    if not candidates.items.size:
        return np.zeros(candidates.items.shape)
    scores = candidates.scores.astype(np.float64)
    rows = np.arange(len(scores))
    gaps = np.nan_to_num(scores[:, :1] - scores)
    middle = gaps[rows, n_items // 2]
    last = gaps[rows, np.maximum(n_items, 1) - 1]
    spread = np.where(middle > 0, middle, last)[:, None]
    shares = np.divide(gaps, spread, out=np.zeros_like(gaps), where=spread > 0)
    return np.where(usable(candidates), 1 - 2 * shares, 0.0)


def greedy(allowed: Mask, k: int, objective: Objective) -> Places:
    """Choose k candidates one after the other, each time the one that adds most.

    Equal gains go to the earlier candidate.

    Args:
        allowed: bool (B, K).
        k: how many.
        objective: what each would add.

    Returns:
        int64 (B, min(k, K)), columns in the order of choice, -1 at the end where none is left.
    """
    free = allowed.copy()
    n_requests, width = free.shape
    chosen = np.full((n_requests, min(k, width)), -1, dtype=np.int64)
    rows = np.arange(n_requests)
    for place in range(chosen.shape[1]):
        best = np.where(free, objective.gains(), -np.inf).argmax(axis=1)
        chosen[:, place] = np.where(free[rows, best], best, -1)
        free[rows, best] = False
        objective.take(best)
    return chosen


def each_greedily(allowed: Mask, k: int, objective_of: Callable[[int], Objective | None]) -> Places:
    """Choose for each request by an objective of its own; see `greedy`.

    Args:
        allowed: bool (B, K).
        k: how many.
        objective_of: gives the objective of one request, (1, K); None keeps the first k.
    """
    chosen = first_places(allowed, k)
    for request in range(len(allowed)):
        objective = objective_of(request)
        if objective is not None:
            chosen[request] = greedy(allowed[[request]], k, objective)[0]
    return chosen


def first_places(allowed: Mask, k: int) -> Places:
    """Give the first k allowed columns of each row, int64 (B, min(k, K)), -1 at the end."""
    columns = np.argsort(~allowed, axis=1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(allowed, columns, axis=1), columns, -1)


def reordered(candidates: Candidates, places: Places) -> Candidates:
    """Give the candidates that stand at these columns, in that order.

    Args:
        candidates: K of each of B requests.
        places: int64 (B, k), columns, each at most once, -1 only at the end.
    """
    columns = np.maximum(places, 0)
    items = np.take_along_axis(candidates.items, columns, axis=1)
    own = np.take_along_axis(candidates.scores, columns, axis=1)
    scores = np.minimum.accumulate(np.where(places < 0, np.float32(np.nan), own), axis=1)
    return Candidates(np.where(places < 0, np.int32(-1), items), scores)
