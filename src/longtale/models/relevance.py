"""How much each part of a description tells: weights that make what was seen most likely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from longtale.arrays import Floats

Features: TypeAlias = Floats | sparse.csr_array
_TINY = 1e-12


def relevances(
    parts: Sequence[Features],
    goals: Floats,
    doubts: Floats,
    *,
    start: NDArray[np.floating],
    l2: float,
    rounds: int,
) -> tuple[NDArray[np.float64], float]:
    """Give the weight of each part and the regularisation that explain the goals best.

    With K_b the products of a part's rows, the goals are taken as drawn from a Gaussian of
    covariance s² C, C = Σ_b w_b K_b + λ D. Each round lets the weights follow from the last ones,

        w_b ← w_b · aᵀ K_b a / (s² tr(C⁻¹ K_b)),   a = C⁻¹ y,

    likewise λ with D, which stands still where the likelihood is greatest; aᵀKa and s² are summed
    over the F goals. A part that tells nothing fades.

    Source: MacKay 1992, "Bayesian interpolation".

    Args:
        parts: S feature matrices of the same M items, (M, ·) each.
        goals: float32 (M, F), centred.
        doubts: float32 (M,), the diagonal of D.
        start: (S,), the weights to begin with; 0 stays 0.
        l2: λ to begin with.
        rounds: how often; 0 gives the start.
    """
    weights = np.asarray(start, dtype=np.float64)
    kernels = [_products(part) for part in parts] if rounds else []
    for _ in range(rounds):
        covariance = np.zeros((len(doubts), len(doubts)), dtype=np.float32, order="F")
        for weight, kernel in zip(weights, kernels, strict=True):
            covariance += np.float32(weight) * kernel
        covariance[np.diag_indices(len(doubts))] += np.float32(l2) * doubts
        factor, _ = linalg.lapack.spotrf(covariance, lower=1, overwrite_a=1)
        shares, _ = linalg.lapack.spotrs(factor, goals, lower=1)  # (M, F)
        size = float(np.vdot(goals, shares)) / len(doubts)
        lower, _ = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
        inverse = np.tril(lower) + np.tril(lower, -1).T
        told = [float(np.vdot(shares, kernel @ shares)) for kernel in kernels]
        expected = [size * float(np.vdot(inverse, kernel)) for kernel in kernels]
        weights = weights * _ratios(told, expected)
        doubted = float(np.vdot(shares, doubts[:, None] * shares))
        l2 *= float(_ratios([doubted], [size * float(np.diag(inverse) @ doubts)])[0])
    return weights, l2


def _products(part: Features) -> Floats:
    if isinstance(part, np.ndarray):
        return part @ part.T
    return np.asarray((part @ part.T).toarray(), dtype=np.float32)


def _ratios(told: Sequence[float], expected: Sequence[float]) -> NDArray[np.float64]:
    """Divide; a part without any feature keeps its weight."""
    tells = np.array(expected) > _TINY
    return np.divide(told, expected, out=np.ones(len(told)), where=tells)
