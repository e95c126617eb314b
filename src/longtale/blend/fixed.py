"""The fixed formula that the gate generalises.

    R_ui = α (1 - β) · e_iᵀ M(x_u)  +  α β · e_iᵀ r_u  +  (1 - α) · M_uᵀ R_i

with e_i the item's vector, M(x_u) what a model makes of the user's behaviour x_u, r_u the profile
of the user's taste (attention over the vectors of what they chose), M_u the user's row of
interactions and R_i the item's column of item-item weights. α says how far vectors are trusted
against behaviour, β how far the profile against the model. Over calibrated scores it is what
`GatedBlend` with flat slopes and these three weights gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, Mask, Rows
from longtale.blend.calibrate import standardised, unheard
from longtale.contracts import State
from longtale.data.candidates import Scale
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.settings import Settings


class FixedSettings(Settings):
    """The two constants of the formula."""

    alpha: float = Field(default=0.7, ge=0, le=1)
    """How far vectors are trusted against behaviour."""
    beta: float = Field(default=0.3, ge=0, le=1)
    """How far the profile is trusted against the model of the behaviour."""
    calibrated: bool = False
    """Bring the three scores to one scale first; the formula as it stands adds them up raw."""


@dataclass(frozen=True, eq=False)
class FixedBlend:
    """Adds up the scores of three sources: text tower, attention profile, collaborative score."""

    settings: FixedSettings
    scale: Scale | None = None

    @property
    def weights(self) -> Floats:
        """α (1 - β), α β and 1 - α, float32 (3,)."""
        alpha, beta = self.settings.alpha, self.settings.beta
        return np.array([alpha * (1 - beta), alpha * beta, 1 - alpha], dtype=np.float32)

    def contributions(self, queries: Queries, scores: Floats) -> Floats:
        weights = np.tile(self.weights[:, None], len(queries))
        own = (
            standardised(scores, self.scale) if self.settings.calibrated else np.nan_to_num(scores)
        )
        return unheard(own * weights[:, :, None], scores, weights)

    def knowing(self, dataset: Dataset) -> Self:
        return self

    def narrowed(self, items: Rows, scale: Scale) -> Self:
        return replace(self, scale=scale)

    def weights_at(self, queries: Queries, scores: Floats, items: Rows) -> Floats:
        return np.tile(self.weights[:, None, None], items.shape)

    def uses(self, queries: Queries) -> Mask:
        return self.weights > 0

    def state(self) -> State:
        return {}

    @classmethod
    def restore(cls, settings: FixedSettings, state: State) -> Self:
        return cls(settings)
