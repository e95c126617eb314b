"""Item-kNN: items whose public overlaps, weighted by BM25."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field
from scipy import sparse

from longtale.arrays import Floats, Rows, compact
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.linear import ItemWeights
from longtale.schema import Serves
from longtale.settings import Settings


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
    """

    name: ClassVar[str] = "item_knn"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: ItemKNNSettings
    weights: ItemWeights

    @classmethod
    def fit(cls, dataset: Dataset, settings: ItemKNNSettings) -> Self:
        """Find the neighbours of every item."""
        from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight

        weighted = bm25_weight(dataset.matrix().T, settings.k1, settings.b)  # (N, U)
        # One more than asked for: each item finds itself first.
        model = ItemItemRecommender(K=settings.neighbours + 1)
        model.fit(sparse.csr_matrix(weighted.T), show_progress=False)
        similar = sparse.csr_array(model.similarity, dtype=np.float32)
        similar.setdiag(0)
        similar.eliminate_zeros()
        return cls(settings, ItemWeights(compact(similar), dataset.item_counts > 0))

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
