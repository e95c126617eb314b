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
    n_known = scores.shape[-1] - missing.sum(axis=-1, keepdims=True)
    counts = np.maximum(n_known, 1).astype(np.float32)
    centred = scores.copy()
    np.copyto(centred, 0, where=missing)
    means = centred.sum(axis=-1, keepdims=True) / counts
    centred -= means
    np.copyto(centred, 0, where=missing)
    variances = np.vecdot(centred, centred)[..., None] / counts
    deviations = np.sqrt(variances)
    tells = deviations > ROUNDING * np.abs(means)
    centred *= np.divide(1, deviations, out=np.zeros_like(deviations), where=tells)
    return centred


def unheard(shares: Floats, scores: Floats, weights: Floats) -> Floats:
    """Put -inf into the first source where no source with any weight can score an item.

    Args:
        shares: float32 (S, B, N), what each source adds; changed in place.
        scores: float32 (S, B, N), NaN where a source cannot say.
        weights: float32 (S, B).
    """
    used = weights.any(axis=1)
    heard = ~np.isnan(scores[used]) & (weights[used] > 0)[:, :, None]
    shares[0][~heard.any(axis=0)] = -np.inf
    return shares
