"""Pairs of items that go together, drawn from what people did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Mask, Rows, segment_rows
from longtale.data.interactions import Histories


@dataclass(frozen=True, eq=False)
class CoInteractions:
    """How well items go together.

    Args:
        weights: float32 (N, N), of each item with the items that go best with it; rows of items
            that nobody chose are empty.
        together: bool-like (N, N), whose stored entries say that somebody chose both.
    """

    weights: sparse.csr_array
    together: sparse.csr_array

    @classmethod
    def of(cls, interests: sparse.csr_array, neighbours: int) -> Self:
        """Count who chose both.

            w_ij = |U_i ∩ U_j| / √(|U_i| |U_j|)

        with U_i the users who chose item i: the cosine, by which an item that everybody chose goes
        with no other in particular.

        Args:
            interests: (U, N), whose stored entries are what each user chose.
            neighbours: how many items are kept for each.
        """
        chosen = sparse.csr_array(interests, copy=True)
        chosen.sum_duplicates()
        chosen.data = np.ones_like(chosen.data, dtype=np.float32)
        together = sparse.csr_array((chosen.T @ chosen).tocsr())
        together.setdiag(0)
        together.eliminate_zeros()
        scale = 1 / np.sqrt(np.maximum(chosen.sum(axis=0), 1)).astype(np.float32)
        cosine = sparse.csr_array(together.multiply(scale[:, None]).multiply(scale[None]))
        return cls(_largest(cosine, neighbours), together)

    @property
    def n_items(self) -> int:
        """N."""
        return int(self.weights.shape[0])

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw n pairs, int32 (n, 2); none where no two items go together.

        Each item comes first as often as any other, so that the few that all know do not teach
        everything; its partner is drawn in proportion to w_ij.
        """
        lengths = np.diff(self.weights.indptr)
        known = np.flatnonzero(lengths)
        if not len(known) or not n:
            return np.empty((0, 2), dtype=np.int32)
        first = in_turn(known, n, rng)
        sums = np.concatenate([[0.0], np.cumsum(self.weights.data, dtype=np.float64)])
        starts, ends = self.weights.indptr[first], self.weights.indptr[first + 1]
        drawn = sums[starts] + rng.random(n) * (sums[ends] - sums[starts])
        places = np.clip(np.searchsorted(sums, drawn, side="right") - 1, starts, ends - 1)
        return np.stack([first, self.weights.indices[places]], axis=1).astype(np.int32)

    def met(self, first: Rows, second: Rows) -> Mask:
        """Say of A and B items which are the same or were chosen by one person, bool (A, B)."""
        found: Mask = self.together[first][:, second].toarray() > 0
        return found | (first[:, None] == second[None])


def next_items(offsets: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw events that have one before them in their history, int64 (n,); none where there is none.

    Args:
        offsets: int64 (U + 1,), where each history begins.
        n: how many are drawn.
        rng: draws them.
    """
    is_first = np.zeros(int(offsets[-1]), dtype=np.bool_)
    is_first[offsets[:-1][np.diff(offsets) > 0]] = True
    later = np.flatnonzero(~is_first)
    return in_turn(later, n, rng) if len(later) else later


def distinct(histories: Histories) -> Histories:
    """Keep the first event of each user with each item.

    Example:
        >>> distinct(Histories.of([[3, 1, 3], [3]])).items.tolist()
        [3, 1, 3]
    """
    users = segment_rows(histories.offsets)
    pairs = users * (int(histories.items.max(initial=0)) + 1) + histories.items
    is_first = np.zeros(len(pairs), dtype=np.bool_)
    is_first[np.unique(pairs, return_index=True)[1]] = True
    return histories.where(is_first)


def in_turn(values: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw n values, each as often as any other."""
    rounds = -(-n // len(values))
    return np.concatenate([rng.permutation(values) for _ in range(max(rounds, 1))])[:n]


def _largest(weights: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keep the k largest entries of each row."""
    rows = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    order = np.lexsort((-weights.data, rows))
    place = np.arange(len(order)) - weights.indptr[rows[order]]
    kept = np.sort(order[place < k])
    parts = (weights.data[kept], (rows[kept], weights.indices[kept]))
    return sparse.csr_array(sparse.coo_array(parts, shape=weights.shape).tocsr())
