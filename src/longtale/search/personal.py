"""Taste in a search: the more, the less the words decide.

    score(u, q, i) = relevance(q, i) + π · γ · h(q) · z_q(preference(u, i))

over the M most relevant items, with π the share of taste that is asked for, z_q standardising what
the recommender thinks of them for this user among these M alone, and h(q) = H(p) / ln M the
entropy of p = softmax(relevance / τ): 0 where one item stands out, as when its name is asked for,
1 where M items suit the words alike.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from longtale.arrays import Floats
from longtale.settings import Settings


class PersonalSettings(Settings):
    """How much taste counts in a search."""

    gamma: float = Field(default=2.0, ge=0)
    """Weight of the taste where it is asked for in full and the words leave all open, γ."""
    n_candidates: int = Field(default=500, ge=2)
    """Among how many of the most relevant items taste may choose, M."""
    temperature: float = Field(default=0.3, gt=0)
    """How far apart in relevance two items are for words to decide between them, τ."""


def ambiguity(relevance: Floats, settings: PersonalSettings) -> Floats:
    """Say how much the words leave open, float32 (B,), 0 to 1.

    Args:
        relevance: float32 (B, M), best first, NaN is padding.
        settings: what is far apart.
    """
    n_items = np.maximum(np.isfinite(relevance).sum(axis=1), 2)
    behind = np.nan_to_num((relevance - relevance[:, :1]) / settings.temperature, nan=-np.inf)
    odds = np.exp(behind)
    shares = odds / np.maximum(odds.sum(axis=1, keepdims=True), 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(axis=1) / np.log(n_items).astype(np.float32)


def taste(
    relevance: Floats, preference: Floats, personal: float, settings: PersonalSettings
) -> Floats:
    """Give what taste adds to each candidate, float32 (B, M).

    Args:
        relevance: float32 (B, M), best first, NaN is padding.
        preference: float32 (B, M), standardised among the candidates.
        personal: the share of taste that is asked for, 0 to 1.
        settings: how much taste counts.
    """
    weights = personal * settings.gamma * ambiguity(relevance, settings)
    return weights[:, None].astype(np.float32) * preference
