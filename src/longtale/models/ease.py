"""EASE: a linear item-item model in closed form.

Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", arXiv:1905.03375.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, Rows
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.closed_form import learned_items, ridge_inverse, strongest, widened
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
        known = learned_items(dataset.item_counts, settings.max_items)
        liked = interest(dataset.interactions.histories, known, binary=True)[:, known]
        inverse = ridge_inverse(liked, settings.l2)
        weights = -inverse / np.diag(inverse)[:, None]  # row i holds column i of B, since P = Pᵀ
        np.fill_diagonal(weights, 0)
        matrix = widened(strongest(weights, settings.kept), known)
        return cls(settings, ItemWeights(matrix, known))

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
