"""Taking out of vectors what tells groups apart, after the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from longtale.arrays import Floats, unit_rows
from longtale.errors import SettingsError
from longtale.language.bias.groups import Groups, checked

_TOLERANCE = 1e-5  # below this share of the largest a direction is rounding noise


@dataclass(frozen=True, eq=False)
class Removal:
    """A fitted removal, x -> unit(x - strength · V'V x).

    Args:
        directions: float32 (R, D), orthonormal rows V.
        strength: 1 takes all of it out, 0 nothing.
    """

    directions: Floats
    strength: float

    @classmethod
    def fit(cls, vectors: Floats, groups: Groups, *, strength: float = 1.0) -> Self:
        """Find the directions in which the groups' means differ.

        V spans the differences between the mean of each group and that of all other items. Where
        all of it is taken out, the means are the same, and then no linear rule of any convex loss
        can tell the groups better than by their sizes (Belrose et al. 2023, arXiv:2306.03819). It
        is the first round of iterative null-space projection (Ravfogel et al. 2020,
        arXiv:2004.07667) with means in place of a trained classifier. Cutting the rows to length 1
        again shifts the means a little.

        Args:
            vectors: float32 (N, D), as they are compared, such as whitened ones.
            groups: by name, bool (N,).
            strength: how much is taken out; between 0 and 1 it buys accuracy with bias.

        Raises:
            DataError: a group is empty or everything.
            SettingsError: the strength is not between 0 and 1.

        Example:
            >>> vectors = np.float32([[1, 0], [0.6, 0.8], [-1, 0], [-0.6, 0.8]])
            >>> first = np.array([True, True, False, False])
            >>> Removal.fit(vectors, {"first": first}).apply(vectors).tolist()[1]
            [0.0, 1.0]
        """
        if not 0 <= strength <= 1:
            raise SettingsError(f"strength is {strength}; expected 0 to 1")
        masks = checked(groups, len(vectors)).values()
        gaps = [vectors[mask].mean(axis=0) - vectors[~mask].mean(axis=0) for mask in masks]
        _, sizes, directions = np.linalg.svd(np.array(gaps, dtype=np.float64), full_matrices=False)
        kept = directions[sizes > _TOLERANCE * max(float(sizes.max()), _TOLERANCE)]
        return cls(kept.astype(np.float32), strength)

    def apply(self, vectors: Floats) -> Floats:
        """Give the vectors without it, unit rows, float32 (N, D); zero rows stay zero."""
        along = (vectors @ self.directions.T).astype(np.float32) @ self.directions
        return unit_rows(np.asarray(vectors - self.strength * along, dtype=np.float32))
