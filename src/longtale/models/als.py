"""iALS: matrix factorisation for implicit feedback.

Hu, Koren and Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field
from scipy import linalg, sparse

from longtale.arrays import Floats, Mask
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.interest import interest, silent
from longtale.schema import Serves
from longtale.settings import Settings


class ALSSettings(Settings):
    """How the factors are found."""

    factors: int = Field(default=128, ge=1)
    """Width of the users' and the items' vectors."""
    regularization: float = Field(default=10.0, gt=0)
    """How strongly the vectors are held small."""
    alpha: float = Field(default=10.0, gt=0)
    """How much more an event counts than an absence."""
    iterations: int = Field(default=15, ge=1)
    """How often users and items are solved in turn."""
    seed: int = Field(default=0, ge=0)
    """Decides where the search begins."""
    half_life: float | None = Field(default=3.0, gt=0)
    """How many events later an event in the asker's history counts half; none counts all alike."""


@dataclass(frozen=True, eq=False)
class ALS:
    """Scores x_u·y_i; the asker's vector x_u is solved from the history in the request.

    x_u = (YᵀY + Σ_j (c_j - 1) y_j y_jᵀ + λI)⁻¹ Σ_j c_j y_j with c_j = α · weight of item j: what
    training would give a user with this history. Weights of events count.

    Args:
        settings: what it was fitted with.
        item_factors: float32 (N, F).
        gram: float32 (F, F), YᵀY + λI.
        known: bool (N,), items with events in training.
    """

    name: ClassVar[str] = "als"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: ALSSettings
    item_factors: Floats
    gram: Floats
    known: Mask

    @classmethod
    def fit(cls, dataset: Dataset, settings: ALSSettings) -> Self:
        """Find the factors."""
        factors = _factors(sparse.csr_matrix(dataset.matrix()), settings)
        gram = factors.T @ factors
        gram[np.diag_indices_from(gram)] += settings.regularization
        return cls(settings, factors, gram, dataset.item_counts > 0)

    def scores(self, queries: Queries) -> Floats:
        half_life = self.settings.half_life
        interests = interest(queries.histories, self.known, binary=False, half_life=half_life)
        return silent(self.user_factors(interests) @ self._columns, interests, self.known)

    @cached_property
    def _columns(self) -> Floats:
        """The items' vectors as columns, float32 (F, N): products with these take half the time."""
        return np.ascontiguousarray(self.item_factors.T)

    def user_factors(self, interests: sparse.csr_array) -> Floats:
        """Solve for the vectors of users: float32 (B, F)."""
        factors = np.zeros((interests.shape[0], len(self.gram)), dtype=np.float32)
        for row, factor in enumerate(factors):
            span = slice(interests.indptr[row], interests.indptr[row + 1])
            confidences = np.float32(self.settings.alpha) * interests.data[span]
            liked = self.item_factors[interests.indices[span]]  # (T, F)
            left = self.gram + (liked * (confidences - 1)[:, None]).T @ liked
            _, factor[:], _ = linalg.lapack.sposv(left, confidences @ liked)
        return factors

    def state(self) -> State:
        return {"item_factors": self.item_factors, "gram": self.gram, "known": self.known}

    @classmethod
    def restore(cls, settings: ALSSettings, state: State) -> Self:
        known = np.asarray(state["known"], dtype=np.bool_)
        return cls(settings, np.asarray(state["item_factors"]), np.asarray(state["gram"]), known)


def _factors(matrix: sparse.csr_matrix, settings: ALSSettings) -> Floats:
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    # `implicit` has threads of its own; BLAS's under them would make it many times slower.
    with threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=settings.alpha,
            iterations=settings.iterations,
            random_state=settings.seed,
        )
        model.fit(matrix, show_progress=False)
    return model.item_factors
