"""A world whose scores are sums that everybody can add up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longtale.data.candidates import Candidates, Slate
from longtale.data.query import Queries
from longtale.explain.standing import Standing

UNSCORED = -1e5


@dataclass(frozen=True)
class Adding:
    """Scores an item by its popularity, and by what each different item of a history adds to it.

    Args:
        popular: (N,).
        adds: (N, N), row j is what item j of a history adds to each item.
        row: the item that is asked about.
        words: (N,), what is added where anything was said.
    """

    popular: np.ndarray
    adds: np.ndarray
    row: int
    words: np.ndarray | None = None

    def slate(self, queries: Queries) -> Slate:
        n_items = len(self.popular)
        histories = queries.histories
        parts = np.zeros((3, len(queries), n_items), dtype=np.float32)
        for b in range(len(queries)):
            chosen = np.unique(histories.items[histories.offsets[b] : histories.offsets[b + 1]])
            parts[0, b] = self.popular
            parts[1, b] = self.adds[chosen].sum(axis=0)
            if self.words is not None and queries.text_vectors is not None:
                parts[2, b] = self.words * queries.text_vectors[b].any()
        best = Candidates.best(parts.sum(axis=0), n_items)
        trust = np.ones((3, *best.items.shape), dtype=np.float32)
        return Slate.of(best, parts, sources=("popular", "ease", "semantic"), weights=trust)

    def stand(self, queries: Queries) -> Standing:
        return Standing.of(self.slate(queries), self.row, unscored=UNSCORED)


def adding(n_items: int, pairs: dict[tuple[int, int], float], row: int) -> Adding:
    """Build a world in which only some pairs of items go together."""
    adds = np.zeros((n_items, n_items), dtype=np.float32)
    for (chosen, item), added in pairs.items():
        adds[chosen, item] = added
    return Adding(np.zeros(n_items, dtype=np.float32), adds, row)
