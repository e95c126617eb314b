"""Exploration: a few places of a slate are lent to items about which little is known.

Whatever is shown is what is learned from, so a recommender that never shows a new item never finds
out. Each slate says of each item with which probability it stood at its place, so that what people
then did can be weighed fairly (`evaluate.off_policy`); a slate without that record teaches little.

The lists keep their order but for the places that are lent: the item that would have stood there is
left out of this slate, and no other item moves. So the probability that an item stands at a place
does not depend on what was drawn elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, Mask
from longtale.data.candidates import Candidates
from longtale.rank.rerank import Places, first_places, reordered
from longtale.settings import Settings


class EpsilonGreedySettings(Settings):
    """How often a place of the slate is lent to a random item."""

    epsilon: float = Field(default=0.1, ge=0, le=1)
    """Probability with which each place from the first one lent is lent; 0 never explores."""
    first_rank: int = Field(default=3, ge=1)
    """The first place that may be lent; 1 is the top."""


@dataclass(frozen=True, eq=False)
class Explored:
    """Slates of which some places were lent.

    Args:
        slate: the items as shown, (B, k); scores as in `rank.rerank`.
        propensities: float32 (B, k), the probability that this item stood at this place, given the
            request; NaN for padding.
        is_lent: bool (B, k), whether the place was lent.
    """

    slate: Candidates
    propensities: Floats
    is_lent: Mask


@dataclass(frozen=True, eq=False)
class EpsilonGreedy:
    """Each place from `first_rank` on is lent with probability ε to a random item of a pool.

    The pool E are the allowed candidates behind the first k, each drawn at most once. With n places
    to lend (no more than |E|, the lowest of the slate), an item that keeps its place p has the
    probability 1 - ε, or 1 where p is not lent; an item of the pool ε / |E| at every place to
    lend, by symmetry. Both are exact.

    Args:
        settings: ε and the first place.
    """

    settings: EpsilonGreedySettings

    def explore(
        self,
        candidates: Candidates,
        k: int,
        *,
        rng: np.random.Generator,
        allowed: Mask | None = None,
    ) -> Explored:
        """Draw slates.

        Args:
            candidates: K of each of B requests, best first; those behind the first k are the pool.
            k: length of the slate.
            rng: draws places and items.
            allowed: bool (N,), items that may be drawn, such as new ones; None is all.
        """
        pool = pool_of(candidates, k, allowed)
        places = first_places(candidates.items >= 0, k)
        propensities = np.where(places < 0, np.float32(np.nan), np.float32(1))
        is_lent = np.zeros(places.shape, dtype=np.bool_)
        for row, own in enumerate(pool):
            columns = np.flatnonzero(own)
            open_places = places_to_lend(places[row], self.settings.first_rank, len(columns))
            lent = rng.random(len(open_places)) < self.settings.epsilon
            drawn = rng.permutation(columns)[: len(open_places)]
            propensities[row, open_places] = np.where(
                lent, self.settings.epsilon / max(len(columns), 1), 1 - self.settings.epsilon
            )
            places[row, open_places[lent]] = drawn[lent]
            is_lent[row, open_places] = lent
        return Explored(reordered(candidates, places), propensities, is_lent)


def pool_of(candidates: Candidates, k: int, allowed: Mask | None) -> Mask:
    """Say which candidates behind the first k may be drawn, bool (B, K).

    Args:
        candidates: K of each of B requests.
        k: length of the slate.
        allowed: bool (N,), items that may be drawn; None is all.
    """
    pool = candidates.items >= 0
    pool[:, :k] = False
    return pool if allowed is None else pool & allowed[candidates.items]


def places_to_lend(places: Places, first_rank: int, n_pool: int) -> Places:
    """Give the places that may be lent: from `first_rank` on, no more than there are items for.

    Args:
        places: int64 (k,), the slate without exploration, -1 at the end.
        first_rank: 1 is the top.
        n_pool: how many items may be drawn.
    """
    filled = np.flatnonzero(places >= 0)[first_rank - 1 :]
    return filled[max(len(filled) - n_pool, 0) :]
