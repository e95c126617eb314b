"""Without what an item would not be here: the fewest items of the history it owes its place to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longtale.arrays import Rows
from longtale.data.query import Queries
from longtale.explain.attribution import LeftOut, without
from longtale.explain.standing import Stand

MOST = 3
"""Sets of more items explain nothing that a reader can hold."""
_TRIED = 10
"""How many of the items that do most are tried as the next of a set."""


@dataclass(frozen=True, eq=False)
class Needed:
    """Items of the history without which an item drops out.

    Args:
        items: int32 (1 to 3,), in the order in which they were taken away.
        rank: where it would stand without them.
    """

    items: Rows
    rank: int


def needed(stand: Stand, queries: Queries, items: Rows, found: LeftOut, *, n: int) -> Needed | None:
    """Give the smallest set of items of the history without which an item is not in the first n.

    Single items are all tried, by what `leave_one_out` has asked already. Sets of two and three
    grow greedily: the item that pushed it down furthest, and the one beside it that does most, so
    that a set is small but not surely the smallest. Each set was asked about before it is given.

    Args:
        stand: asks where the item stands.
        queries: a batch of one.
        items: the T items that were left out one by one.
        found: what came of it.
        n: length of the slate.

    Returns:
        None where the item is not in the first n anyway, and where three items do not suffice.
    """
    if not len(items) or found.base.ranks[0] > n:
        return None
    drops, ranks = found.drops[: len(items)], found.others.ranks[: len(items)]
    order = np.lexsort((-drops, -ranks))
    chosen, rank = items[order[:1]], int(ranks[order[0]])
    others = items[order[1 : 1 + _TRIED]]
    while rank <= n and len(chosen) < MOST and len(others):
        tried = stand(without(queries, [np.append(chosen, other) for other in others]))
        best = int(np.lexsort((tried.values, -tried.ranks))[0])
        chosen, rank = np.append(chosen, others[best]), int(tried.ranks[best])
        others = np.delete(others, best)
    return Needed(chosen, rank) if rank > n else None
