"""What comes back: candidates of one source, and the slate that is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longtale.arrays import Floats, Mask, Rows, top_k


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best K items of each of B requests, best first, padding (-1, NaN) only at the end.

    Args:
        items: int32 (B, K).
        scores: float32 (B, K), never rising along a row.
    """

    items: Rows
    scores: Floats

    @classmethod
    def best(cls, scores: Floats, k: int, *, exclude: Mask | None = None) -> Candidates:
        """Choose the k best of a whole catalogue's scores.

        Args:
            scores: float32 (B, N); NaN and -inf are never chosen.
            k: how many; the answer is never wider than N.
            exclude: bool (B, N), items that must not return.
        """
        allowed = scores if exclude is None else np.where(exclude, np.float32(np.nan), scores)
        return cls(*top_k(allowed, k))

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class Slate:
    """The ordered lists that are shown to B users.

    Args:
        candidates: items and final scores, best first.
        sources: names of the S retrievers that took part.
        contributions: float32 (S, B, K), what each source added to each score; they sum to it.
        propensities: float32 (B, K), probability that this item stands at this rank; 1 where the
            order is not drawn by chance.
        degraded: which parts failed and who stood in for them.
    """

    candidates: Candidates
    sources: tuple[str, ...]
    contributions: Floats
    propensities: Floats
    degraded: tuple[str, ...] = ()
