"""User-kNN: what the users most like the asker chose."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from pydantic import Field
from scipy import sparse

from longtale.arrays import Floats, compact
from longtale.contracts import State
from longtale.data.arrivals import Arrivals
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.interest import interest, silent
from longtale.models.linear import sparse_restored, sparse_state
from longtale.schema import Serves
from longtale.settings import Settings


class UserKNNSettings(Settings):
    """How neighbours of the asker are found."""

    neighbours: int = Field(default=100, ge=1)
    """How many of the nearest users have a say."""
    idf: float = Field(default=1.0, ge=0)
    """Power of log(U / n) by which an item liked by n of U users counts when users are compared."""
    sharpness: float = Field(default=1.5, gt=0)
    """Power of the similarity; above 1 the nearest users have more to say."""
    half_life: float | None = Field(default=2.0, gt=0)
    """How many events later an event in the asker's history counts half; none counts all alike."""


@dataclass(frozen=True, eq=False)
class UserKNN:
    """Adds up the similarities of the nearest users who liked an item.

    Score(x, i) = Σ_v cos(w∘x, w∘x_v)^s · x_vi over the nearest users v, with
    w_j = log(1 + U / n_j)^p and x the items as 0 and 1. A known asker is compared through the
    history in the request like anybody else, and meets themselves among the users: that adds only
    to items they have met.

    Args:
        settings: what it was fitted with.
        liked: float32 (U, N), 1 where a user liked an item.
        likers: float32 (N, U), the same turned over.
        item_weights: float32 (N,), w; 0 for items that nobody touched.
        lengths: float32 (U,), |w∘x_v|; 1 for users who liked nothing.
    """

    name: ClassVar[str] = "user_knn"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: UserKNNSettings
    liked: sparse.csr_array
    likers: sparse.csr_array
    item_weights: Floats
    lengths: Floats

    @classmethod
    def fit(cls, dataset: Dataset, settings: UserKNNSettings) -> Self:
        """Weigh the items; beyond that the users themselves are the model."""
        known = dataset.item_counts > 0
        liked = interest(dataset.interactions.histories, known, binary=True)
        return cls._of(settings, liked, _turned(liked))

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Let the new events in among those of the users: exact."""
        found = events.liked
        more = sparse.coo_array(
            (np.ones(len(found), dtype=np.float32), (found.users, found.items)),
            shape=(dataset.n_users, dataset.n_items),
        )
        return self._of(self.settings, _joined(self.liked, more), _joined(self.likers, more.T))

    def without_user(self, row: int) -> Self:
        """Let go of what one user liked: their row is empty."""
        liked = self.liked.copy()
        liked.data[liked.indptr[row] : liked.indptr[row + 1]] = 0
        liked.eliminate_zeros()
        return self._of(self.settings, liked, _turned(liked))

    def scores(self, queries: Queries) -> Floats:
        known = self.item_weights > 0
        half_life = self.settings.half_life
        interests = interest(queries.histories, known, binary=True, half_life=half_life)
        asker = _weighted(_unit(_weighted(interests, self.item_weights)), self.item_weights)
        similar = asker @ self.likers  # (B, U)
        similar.data /= self.lengths[similar.indices]
        similar.data **= self.settings.sharpness
        nearest = _only_largest(similar, self.settings.neighbours)
        return silent((nearest @ self.liked).toarray(), interests, known)

    def state(self) -> State:
        return sparse_state(self.liked)

    @classmethod
    def restore(cls, settings: UserKNNSettings, state: State) -> Self:
        liked = sparse_restored(state)
        return cls._of(settings, liked, _turned(liked))

    @classmethod
    def _of(
        cls, settings: UserKNNSettings, liked: sparse.csr_array, likers: sparse.csr_array
    ) -> Self:
        n_users = liked.shape[0]
        counts = np.diff(likers.indptr)
        weights = np.log1p(n_users / np.maximum(counts, 1)) ** settings.idf
        item_weights = np.where(counts > 0, weights, 0).astype(np.float32)
        lengths = np.sqrt(liked @ item_weights**2)
        return cls(settings, liked, likers, item_weights, np.where(lengths > 0, lengths, 1))


def _turned(liked: sparse.csr_array) -> sparse.csr_array:
    return compact(sparse.csr_array(liked.T))


def _joined(known: sparse.csr_array, more: sparse.coo_array) -> sparse.csr_array:
    """Give 1 where either has something; what is known may have fewer rows and columns."""
    n_new = more.shape[0] - known.shape[0]
    indptr = np.append(known.indptr, np.repeat(known.indptr[-1:], n_new))
    wide = sparse.csr_array((known.data, known.indices, indptr), shape=more.shape)
    joined = wide + sparse.csr_array(more)
    joined.data = np.ones_like(joined.data)
    return compact(joined)


def _weighted(liked: sparse.csr_array, item_weights: Floats) -> sparse.csr_array:
    weights = liked.data * item_weights[liked.indices]
    return sparse.csr_array((weights, liked.indices, liked.indptr), shape=liked.shape)


def _unit(matrix: sparse.csr_array) -> sparse.csr_array:
    """Scale each row to length 1; an empty row stays empty."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(rows, matrix.data**2, minlength=matrix.shape[0]))
    scaled = (matrix.data / lengths[rows]).astype(np.float32)
    return sparse.csr_array((scaled, matrix.indices, matrix.indptr), shape=matrix.shape)


def _only_largest(matrix: sparse.csr_array, n: int) -> sparse.csr_array:
    """Drop all but the n largest entries of each row, in place."""
    matrix.sort_indices()
    for start, end in pairwise(matrix.indptr):
        if end - start > n:
            row = matrix.data[start:end]
            row[np.argpartition(-row, n)[n:]] = 0
    matrix.eliminate_zeros()
    return matrix
