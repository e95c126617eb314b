"""What an item is worth to a query: its words and its meaning on one scale, added up.

    relevance(q, i) = w · z(BM25(q, i)) + (1 - w) · z(cos(q', i))
    q' = (1 - φ) q + φ · mean direction of the k best by w · z(BM25(q, i)) + (1 - w) · z(cos(q, i))

where z brings either score to mean 0 and deviation 1 over the whole catalogue: one unit is one
deviation of what all items have to do with a query, whatever the query. What both sides hold to be
right tells meaning what the few words meant (feedback without an asker: Rocchio 1971; Lavrenko &
Croft 2001).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, unit_rows
from longtale.settings import Settings


class FusionSettings(Settings):
    """How words and meaning are added up."""

    words: float = Field(default=0.5, ge=0, le=1)
    """Weight of the words, w; meaning has the rest."""
    n_feedback: int = Field(default=5, ge=1)
    """How many of the best items tell what the query meant, k."""
    feedback: float = Field(default=0.6, ge=0, le=1)
    """Weight of these items beside the query itself, φ; 0 goes by the query alone."""


def fused(scores: Floats, settings: FusionSettings) -> Floats:
    """Give what words and meaning add to the relevance, float32 (2, B, N).

    Args:
        scores: float32 (2, B, N), of words and of meaning, both standardised.
        settings: how they are weighed.
    """
    weights = np.array([settings.words, 1 - settings.words], dtype=np.float32)
    return weights[:, None, None] * scores


def followed(asked: Floats, best: Floats, settings: FusionSettings) -> Floats:
    """Give the directions of B queries after they saw their best items, float32 (B, D).

    Args:
        asked: float32 (B, D), unit rows.
        best: float32 (B, k, D), directions of the best items, unit or zero rows.
        settings: how they are weighed.
    """
    share = np.float32(settings.feedback)
    return (1 - share) * asked + share * unit_rows(best.mean(axis=1))
