"""Scores of different models onto one scale, so that they may be added."""

from __future__ import annotations

import numpy as np

from longtale.arrays import Floats

ROUNDING = np.float32(1e-6)
"""Scores that differ by less than this part of the largest are the same: float32 ends there."""


def standardised(scores: Floats) -> Floats:
    """Bring each source's scores of each request to mean 0 and deviation 1 over the catalogue.

    A missing score becomes 0, the mean: of an item that a source does not know, it says neither
    good nor bad. A source that tells no item from another becomes 0 and so changes nothing.

    Args:
        scores: float32 (S, B, N), NaN where a source cannot say.

    Returns:
        float32 (S, B, N) without NaN.
    """
    missing = np.isnan(scores)
    counts = np.maximum(scores.shape[-1] - missing.sum(axis=-1, keepdims=True), 1)
    centred = np.where(missing, np.float32(0), scores)
    means = centred.sum(axis=-1, keepdims=True) / counts
    centred -= means
    centred[missing] = 0
    variances = np.einsum("...n,...n->...", centred, centred)[..., None] / counts
    deviations = np.sqrt(variances)
    tells = deviations > ROUNDING * np.abs(means)
    centred *= np.divide(1, deviations, out=np.zeros_like(deviations), where=tells)
    return centred
