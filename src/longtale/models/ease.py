"""EASE: a linear item-item model in closed form.

Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", arXiv:1905.03375.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import linalg, sparse

from longtale.arrays import Floats, Mask, Rows, compact
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.interest import interest
from longtale.models.linear import ItemWeights
from longtale.schema import Serves
from longtale.settings import Settings


class EASESettings(Settings):
    """How the linear item-item model is made."""

    l2: float = Field(default=300.0, gt=0)
    """Strength of regularisation."""
    max_items: int = Field(default=20_000, ge=2)
    """Only the most popular items up to this number take part: time grows with the cube (20,000
    take 100 processor seconds and 5 GB), and rare items have little to say here."""
    kept: int = Field(default=500, ge=1)
    """Strongest weights kept for each item."""
    half_life: float | None = Field(default=4.0, gt=0)
    """How many events later an event in the asker's history counts half; none counts all alike."""


@dataclass(frozen=True, eq=False)
class EASE:
    """Scores x·B with B = argmin ‖X - XB‖² + λ‖B‖², diag(B) = 0, x the asker's items as 0 and 1.

    In closed form B_ji = -P_ji / P_ii with P = (XᵀX + λI)⁻¹. Presence counts, not how often.
    """

    name: ClassVar[str] = "ease"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: EASESettings
    weights: ItemWeights

    @classmethod
    def fit(cls, dataset: Dataset, settings: EASESettings) -> Self:
        """Solve for the weights; items without any event take no part and get no score."""
        known = _learned_items(dataset.item_counts, settings.max_items)
        liked = interest(dataset.interactions.histories, known, binary=True)[:, known]
        weights = _strongest(_inverse(liked, settings.l2), settings.kept)
        return cls(settings, ItemWeights(_widened(weights, known), known))

    def scores(self, queries: Queries) -> Floats:
        half_life = self.settings.half_life
        return self.weights.scores(queries.histories, binary=True, half_life=half_life)

    def evidence(self, history: Rows, items: Rows) -> Floats:
        return self.weights.evidence(history, items)

    def state(self) -> State:
        return self.weights.state()

    @classmethod
    def restore(cls, settings: EASESettings, state: State) -> Self:
        return cls(settings, ItemWeights.restore(state))


def _learned_items(counts: NDArray[np.int64], max_items: int) -> Mask:
    known = np.zeros(len(counts), dtype=np.bool_)
    known[np.argsort(-counts, kind="stable")[:max_items]] = True
    return known & (counts > 0)


def _inverse(liked: sparse.csr_array, l2: float) -> Floats:
    """Give P = (XᵀX + λI)⁻¹, float32 (N, N)."""
    n_users, n_items = liked.shape
    if n_users < n_items / 2:
        return _inverse_by_users(liked, l2)
    gram = np.asfortranarray((liked.T @ liked).toarray())
    gram[np.diag_indices(n_items)] += np.float32(l2)
    factor, _ = linalg.lapack.spotrf(gram, overwrite_a=True)
    inverse, _ = linalg.lapack.spotri(factor, overwrite_c=True)
    inverse += np.triu(inverse, 1).T  # LAPACK fills the upper triangle only
    return inverse


def _inverse_by_users(liked: sparse.csr_array, l2: float) -> Floats:
    """Give the same by Woodbury's identity, P = (I - Xᵀ(XXᵀ + λI)⁻¹X) / λ: quick for few users."""
    gram = (liked @ liked.T).toarray()
    gram[np.diag_indices(len(gram))] += np.float32(l2)
    root = linalg.solve_triangular(linalg.cholesky(gram, lower=True), liked.toarray(), lower=True)
    inverse = -(root.T @ root)
    inverse[np.diag_indices(len(inverse))] += 1
    return inverse / np.float32(l2)


def _strongest(inverse: Floats, kept: int) -> sparse.csr_array:
    """Turn P into B, of each column only the strongest weights."""
    weights = -inverse / np.diag(inverse)[:, None]  # row i holds column i of B, since P = Pᵀ
    np.fill_diagonal(weights, 0)
    n_items = len(weights)
    kept = min(kept, n_items)
    strongest = np.empty((n_items, kept), dtype=np.int32)
    for row, found in zip(weights, strongest, strict=True):
        found[:] = np.argpartition(-np.abs(row), kept - 1)[:kept]
    values = np.take_along_axis(weights, strongest, axis=1)
    indptr = np.arange(0, n_items * kept + 1, kept)
    transposed = sparse.csr_array((values.ravel(), strongest.ravel(), indptr), weights.shape)
    return sparse.csr_array(transposed.T)


def _widened(weights: sparse.csr_array, known: Mask) -> sparse.csr_array:
    """Give the weights between known items their rows and columns in the whole catalogue."""
    items = np.flatnonzero(known)
    found = weights.tocoo()
    places = (items[found.row], items[found.col])
    widened = sparse.coo_array((found.data, places), shape=(len(known), len(known)))
    return compact(sparse.csr_array(widened))
