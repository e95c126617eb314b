"""Item-to-item weights, and answering by them: what EASE and item-kNN have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Floats, Mask, Rows, segment_positions
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
        return silent((interests @ self.matrix).toarray(), interests, self.known)

    def evidence(self, history: Rows, items: Rows) -> Floats:
        """Give the weights from T items to K items, float32 (T, K)."""
        n_items = len(self.known)
        learned = np.flatnonzero(history < n_items)
        places = np.full(n_items, -1)
        places[items[items < n_items]] = np.flatnonzero(items < n_items)
        entries = segment_positions(self.matrix.indptr, history[learned])
        columns = places[self.matrix.indices[entries]]
        rows = np.repeat(learned, np.diff(self.matrix.indptr)[history[learned]])
        weights = np.zeros((len(history), len(items)), dtype=np.float32)
        asked = columns >= 0
        weights[rows[asked], columns[asked]] = self.matrix.data[entries[asked]]
        return weights

    def state(self) -> State:
        """Give the arrays."""
        return {**sparse_state(self.matrix), "known": self.known}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build again from the arrays."""
        return cls(sparse_restored(state), np.asarray(state["known"], dtype=np.bool_))


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
