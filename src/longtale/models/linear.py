"""Item-to-item weights, and answering by them: what EASE and item-kNN have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Floats, Mask, Rows, compact, offsets_of, segment_positions
from longtale.contracts import State
from longtale.data.interactions import Histories
from longtale.models.interest import interest, silent


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """How much interest in one item speaks for another.

    Args:
        matrix: float32 (N, N), row j holds what interest in item j adds to the score of each item.
        known: bool (N,), items that the model has learned something about.
    """

    matrix: sparse.csr_array
    known: Mask

    def scores(self, histories: Histories, *, binary: bool, half_life: float | None) -> Floats:
        """Add up the rows of the items of `interest`: float32 (B, N), NaN where it cannot say."""
        interests = interest(histories, self.known, binary=binary, half_life=half_life)
        scores = np.empty(interests.shape, dtype=np.float32)
        for row, (start, end) in enumerate(pairwise(interests.indptr.tolist())):
            # Some rows, then one pass over these: a product of two sparse matrices makes two.
            rows = self.matrix[interests.indices[start:end]]
            scores[row] = rows.T @ interests.data[start:end]
        return silent(scores, interests, self.known)

    def evidence(self, history: Rows, items: Rows) -> Floats:
        """Give the weights from T items to K items, float32 (T, K)."""
        n_items = len(self.known)
        learned = np.flatnonzero(history < n_items)
        places = np.full(n_items, -1)
        places[items[items < n_items]] = np.flatnonzero(items < n_items)
        entries = segment_positions(self.matrix.indptr, history[learned])
        columns = places[self.matrix.indices[entries]]
        starts, ends = (self.matrix.indptr[history[learned] + more] for more in (0, 1))
        rows = np.repeat(learned, ends - starts)
        weights = np.zeros((len(history), len(items)), dtype=np.float32)
        asked = columns >= 0
        weights[rows[asked], columns[asked]] = self.matrix.data[entries[asked]]
        return weights

    def towards_tail(self, counts: NDArray[np.integer], beta: float) -> Self:
        """Give weights whose columns are multiplied by `propensity_weights`."""
        if not beta:
            return self
        scaled = self.matrix.copy()
        scaled.data *= propensity_weights(counts, beta)[scaled.indices]
        return replace(self, matrix=scaled)

    def without_tail(self, counts: NDArray[np.integer], beta: float) -> Self:
        """Give the weights of which `towards_tail` made these."""
        if not beta:
            return self
        plain = self.matrix.copy()
        plain.data /= propensity_weights(counts, beta)[plain.indices]
        return replace(self, matrix=plain)

    def widened(self, n_items: int) -> Self:
        """Give the same weights in a catalogue to which items may have come."""
        n_more = n_items - len(self.known)
        indptr = np.append(self.matrix.indptr, np.repeat(self.matrix.indptr[-1:], n_more))
        parts = (self.matrix.data, self.matrix.indices, indptr)
        known = np.append(self.known, np.zeros(n_more, dtype=np.bool_))
        return replace(self, matrix=sparse.csr_array(parts, shape=(n_items, n_items)), known=known)

    def with_columns(
        self,
        items: NDArray[np.integer],
        columns: sparse.csr_array,
        *,
        rows: NDArray[np.integer],
        known: Mask,
    ) -> Self:
        """Put other weights in place of those that speak for some items.

        Args:
            items: int (T,), for which.
            columns: float32 (n, T).
            rows: int (n,), of which item each row of the columns is.
            known: bool (N,), items that are known from now on; what all others say is dropped.
        """
        stays = known.copy()
        stays[items] = False
        kept = stays[self.matrix.indices] & np.repeat(known, np.diff(self.matrix.indptr))
        indptr = offsets_of(kept)[self.matrix.indptr]
        parts = (self.matrix.data[kept], self.matrix.indices[kept], indptr)
        new = columns.tocoo()
        said = known[rows[new.row]]
        at = (rows[new.row[said]], items[new.col[said]])
        placed = sparse.coo_array((new.data[said], at), shape=self.matrix.shape)
        matrix = sparse.csr_array(parts, shape=self.matrix.shape) + placed.tocsr()
        return replace(self, matrix=compact(sparse.csr_array(matrix)), known=known)

    def state(self) -> State:
        """Give the arrays."""
        return {**sparse_state(self.matrix), "known": self.known}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build again from the arrays."""
        return cls(sparse_restored(state), np.asarray(state["known"], dtype=np.bool_))


def propensity_weights(counts: NDArray[np.integer], beta: float) -> Floats:
    """Give what an item's score is multiplied by to lift the tail, float32 (N,).

        w_i = σ(0) / σ(β (log(1 + n_i) - m)),  m = the mean of log(1 + n) over items with events

    An item is seen with a probability that grows with how often it was touched, here a logistic
    function of the logarithm; dividing by it asks what people would do if all were seen alike
    (inverse propensity). It is 1 everywhere at β = 0, and 1 for an item of middling popularity.
    Since it multiplies the columns of the weights after they were solved for, scores of a
    linear model may as well be multiplied by it at answering.

    Source: the log-sigmoid propensity of IPS-LAE, linear autoencoders with inverse propensities.

    Args:
        counts: int (N,), events of each item.
        beta: how steeply the propensity grows with popularity; 0 changes nothing.

    Example:
        >>> propensity_weights(np.array([0, 3, 3, 63]), 0.0).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    logs = np.log1p(counts)
    touched = counts > 0
    middle = logs[touched].mean() if touched.any() else 0.0
    return (0.5 * (1 + np.exp(-beta * (logs - middle)))).astype(np.float32)


def sparse_state(matrix: sparse.csr_array) -> dict[str, NDArray[np.generic]]:
    """Give a sparse matrix as named arrays."""
    return {
        "data": matrix.data,
        "indices": matrix.indices,
        "indptr": matrix.indptr,
        "shape": np.array(matrix.shape, dtype=np.int64),
    }


def sparse_restored(state: State) -> sparse.csr_array:
    """Build a sparse matrix again from what `sparse_state` gave."""
    n_rows, n_columns = (int(n) for n in state["shape"])
    parts = (state["data"], state["indices"], state["indptr"])
    return sparse.csr_array(parts, shape=(n_rows, n_columns))
