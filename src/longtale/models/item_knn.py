"""Item-kNN: items whose public overlaps, weighted by BM25."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from longtale.arrays import Floats, Rows, compact, offsets_of, runs, segment_rows
from longtale.contracts import State
from longtale.data.arrivals import Arrivals
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.linear import ItemWeights
from longtale.schema import Serves
from longtale.settings import Settings

_MANY = 0.05
"""Share of the items from which on a fit is no dearer than an update."""


class ItemKNNSettings(Settings):
    """How neighbours of items are found."""

    neighbours: int = Field(default=100, ge=1)
    """How many neighbours each item keeps."""
    k1: float = Field(default=1.2, ge=0)
    """BM25: how slowly repeated events of one user on one item stop to count."""
    b: float = Field(default=0.25, ge=0, le=1)
    """BM25: how far popular items are held back, 0 not at all."""
    half_life: float | None = Field(default=1.5, gt=0)
    """How many events later an event in the asker's history counts half; none counts all alike."""


@dataclass(frozen=True, eq=False)
class ItemKNN:
    """Adds up the similarities of an item to those in the history.

    The similarity of two items is the product of their columns of users, weighted by BM25
    (Robertson and Zaragoza 2009); each item keeps the largest. Weights of events count.

    `updated` makes anew all similarities of the items that were touched, from the dataset. Left as
    they are: similarities of two other items of one touched user, whose events count a little less
    each the more the user has, and the mean popularity in BM25.
    """

    name: ClassVar[str] = "item_knn"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: ItemKNNSettings
    weights: ItemWeights

    @classmethod
    def fit(cls, dataset: Dataset, settings: ItemKNNSettings) -> Self:
        """Find the neighbours of every item."""
        from implicit.nearest_neighbours import ItemItemRecommender

        # One more than asked for: each item finds itself first.
        model = ItemItemRecommender(K=settings.neighbours + 1)
        model.fit(_weighted(dataset, settings), show_progress=False)
        similar = sparse.csr_array(model.similarity, dtype=np.float32)
        similar.setdiag(0)
        similar.eliminate_zeros()
        return cls(settings, ItemWeights(compact(similar), dataset.item_counts > 0))

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Find the neighbours of the touched items again, and these items among others'."""
        known = dataset.item_counts > 0
        touched = np.unique(events.liked.items)
        old = _widened(self.weights.matrix, dataset.n_items)
        if not len(touched):
            return replace(self, weights=ItemWeights(old, known))
        if len(touched) > _MANY * dataset.n_items:
            return type(self).fit(dataset, self.settings)
        weighted = _weighted(dataset, self.settings)
        columns = sparse.csc_array(weighted)[:, touched]  # (U, touched)
        similar = sparse.csr_array(columns.T @ weighted)  # (touched, N)
        matrix = _replaced(old, touched, similar, self.settings.neighbours)
        return replace(self, weights=ItemWeights(compact(matrix), known))

    def scores(self, queries: Queries) -> Floats:
        half_life = self.settings.half_life
        return self.weights.scores(queries.histories, binary=False, half_life=half_life)

    def evidence(self, history: Rows, items: Rows) -> Floats:
        return self.weights.evidence(history, items)

    def state(self) -> State:
        return self.weights.state()

    @classmethod
    def restore(cls, settings: ItemKNNSettings, state: State) -> Self:
        return cls(settings, ItemWeights.restore(state))


def _weighted(dataset: Dataset, settings: ItemKNNSettings) -> sparse.csr_matrix:
    """Give BM25's weights of the events, (U, N)."""
    from implicit.nearest_neighbours import bm25_weight

    return sparse.csr_matrix(bm25_weight(dataset.matrix().T, settings.k1, settings.b).T)


def _widened(matrix: sparse.csr_array, n_items: int) -> sparse.csr_array:
    """Give the same weights in a catalogue to which items may have come."""
    indptr = np.append(matrix.indptr, np.repeat(matrix.indptr[-1:], n_items - matrix.shape[0]))
    return sparse.csr_array((matrix.data, matrix.indices, indptr), shape=(n_items, n_items))


def _replaced(
    old: sparse.csr_array, touched: NDArray[np.integer], similar: sparse.csr_array, kept: int
) -> sparse.csr_array:
    """Put new similarities in place of the old ones, in the rows and columns of the touched items.

    Args:
        old: (N, N), what each item keeps.
        touched: int (T,), items.
        similar: (T, N), how similar these are to all items; on the diagonal to themselves.
        kept: how many neighbours an item keeps.
    """
    is_touched = np.zeros(old.shape[0], dtype=np.bool_)
    is_touched[touched] = True
    rows, stale = segment_rows(old.indptr), is_touched[old.indices]
    mine = touched[segment_rows(similar.indptr)]
    theirs, found = similar.indices, similar.data
    # What the touched items are to the others, where that is enough to be kept.
    enters = ~is_touched[theirs] & (found > _entry(old, kept)[theirs])
    changed = is_touched.copy()
    changed[rows[stale]] = True
    changed[theirs[enters]] = True
    stay = changed[rows] & ~is_touched[rows] & ~stale
    new_rows = np.concatenate([rows[stay], mine, theirs[enters]])
    columns = np.concatenate([old.indices[stay], theirs, mine[enters]])
    values = np.concatenate([old.data[stay], found, found[enters]])
    chosen = _largest(new_rows, values, np.where(is_touched, kept + 1, kept))
    chosen = chosen[new_rows[chosen] != columns[chosen]]
    remade = np.bincount(new_rows[chosen], minlength=len(changed))
    counts = np.where(changed, remade, np.diff(old.indptr))
    indices, data = (np.empty(counts.sum(), dtype=part.dtype) for part in (old.indices, old.data))
    is_new, is_same = np.repeat(changed, counts), ~changed[rows]
    indices[is_new], indices[~is_new] = columns[chosen], old.indices[is_same]
    data[is_new], data[~is_new] = values[chosen], old.data[is_same]
    return sparse.csr_array((data, indices, offsets_of(counts)), shape=old.shape)


def _entry(matrix: sparse.csr_array, kept: int) -> Floats:
    """Give what a similarity must exceed to be kept by each item, (N,): 0 where there is room."""
    counts = np.diff(matrix.indptr)
    least = np.zeros(len(counts), dtype=np.float32)
    used = counts > 0  # `reduceat` cannot do with empty rows
    least[used] = np.minimum.reduceat(matrix.data, matrix.indptr[:-1][used])
    least[counts < kept] = 0
    return least


def _largest(
    rows: NDArray[np.integer], values: Floats, n_kept: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Give the positions of the largest values of each row, as many as it keeps."""
    # Sorted by one number, row before value: many times quicker than by two.
    order = np.argsort(rows + 0.5 * (1 - values / values.max(initial=1e-30)))
    counts = np.bincount(rows, minlength=len(n_kept))
    return order[runs(offsets_of(counts)[:-1], np.minimum(counts, n_kept))]
