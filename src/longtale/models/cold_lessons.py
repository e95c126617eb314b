"""What known items teach the cold map: from their descriptions to their places."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from longtale.arrays import Floats
from longtale.models.attributes import Attributes
from longtale.models.relevance import relevances

_BLOCK = 1024  # items whose likeness to all others is computed at once
_JUDGES = 2000  # known items by which the columns' weights are found: more change them little


@dataclass(frozen=True, eq=False)
class Lessons:
    """What M known items teach.

    Args:
        vectors: float32 (M, D).
        rows: float32 (M, A), attributes.
        goals: float32 (M, F + 1), centred.
        doubts: float32 (M,), 1 / c.
    """

    vectors: Floats
    rows: sparse.csr_array
    goals: Floats
    doubts: Floats

    def take(self, chosen: NDArray[np.int64]) -> Lessons:
        """Give what the chosen items teach."""
        return Lessons(*(part[chosen] for part in vars(self).values()))

    def scaled(self, meaning: np.float32, features: Floats) -> Lessons:
        """Stretch the vectors, and each feature."""
        rows = sparse.csr_array(self.rows.multiply(features[None, :]))
        return replace(self, vectors=meaning * self.vectors, rows=rows)


def column_weights(
    lessons: Lessons, attributes: Attributes, *, start: float, l2: float, rounds: int
) -> tuple[Floats, float]:
    """Give the weight of the meaning and of each column, float32, and the regularisation.

    Args:
        lessons: what known items teach.
        attributes: which feature belongs to which column.
        start: weight of each column to begin with; the meaning begins at 1.
        l2: regularisation to begin with.
        rounds: how often both are improved.
    """
    n_columns = int(attributes.columns.max(initial=-1)) + 1
    begin = np.array([1.0] + [start] * n_columns)
    few = np.unique(np.linspace(0, len(lessons.goals) - 1, _JUDGES).astype(np.int64))
    sample = lessons.take(few)
    by_feature = sparse.csc_array(sample.rows)
    columns = [by_feature[:, attributes.columns == c].tocsr() for c in range(n_columns)]
    weights, found = relevances(
        [sample.vectors, *columns],
        np.asfortranarray(sample.goals[:, :-1]),
        sample.doubts,
        start=begin,
        l2=l2,
        rounds=rounds,
    )
    return weights.astype(np.float32), found


def ridge(lessons: Lessons, l2: float) -> Floats:
    """Solve (K + λ C⁻¹) A = Y - μ for the items' shares A in the answer, float32 (M, F + 1)."""
    alike = lessons.vectors @ lessons.vectors.T
    features = sparse.csr_array(lessons.rows.T)
    for start in range(0, len(alike), _BLOCK):
        block = slice(start, start + _BLOCK)
        alike[block] += (lessons.rows[block] @ features).toarray()
    alike[np.diag_indices(len(alike))] += np.float32(l2) * lessons.doubts
    factor = linalg.cho_factor(alike, lower=True, overwrite_a=True)
    return linalg.cho_solve(factor, lessons.goals)
