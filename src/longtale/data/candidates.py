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
        degraded: names of the parts that failed; the others stood in for them.
    """

    candidates: Candidates
    sources: tuple[str, ...]
    contributions: Floats
    degraded: tuple[str, ...] = ()

    @classmethod
    def best(
        cls,
        contributions: Floats,
        k: int,
        *,
        sources: tuple[str, ...],
        exclude: Mask,
        degraded: tuple[str, ...] = (),
    ) -> Slate:
        """Choose the k items with the largest sum of contributions.

        Args:
            contributions: float32 (S, B, N), what each source adds to each item's score.
            k: how many; the answer is never wider than N.
            sources: names of the S sources.
            exclude: bool (B, N), items that must not come.
            degraded: names of the parts that failed.
        """
        candidates = Candidates.best(contributions.sum(axis=0), k, exclude=exclude)
        rows = np.maximum(candidates.items, 0)[None]  # padding has no contributions to speak of
        chosen = np.take_along_axis(contributions, rows, axis=2)
        return cls(candidates, sources, chosen, degraded)
