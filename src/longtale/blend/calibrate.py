"""Scores of different models onto one scale, so that they may be added."""

from __future__ import annotations

import numpy as np

from longtale.arrays import Floats
from longtale.data.candidates import Scale


def standardised(scores: Floats, scale: Scale | None = None) -> Floats:
    """Bring each source's scores of each request to mean 0 and deviation 1 over the catalogue.

    A missing score becomes 0, the mean: of an item that a source does not know, it says neither
    good nor bad. A source that tells no item from another becomes 0 and so changes nothing.

    Args:
        scores: float32 (S, B, N), NaN where a source cannot say.
        scale: that of the whole catalogue, where these are the scores of a part of it.

    Returns:
        float32 (S, B, N) without NaN.
    """
    found = Scale.of(scores) if scale is None else scale
    centred = scores - found.means[..., None]
    np.copyto(centred, 0, where=np.isnan(centred))
    tells = found.deviations > 0
    factors = np.divide(1, found.deviations, out=np.zeros_like(found.deviations), where=tells)
    centred *= factors[..., None]
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
