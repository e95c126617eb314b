"""From validation requests to what a ranker learns from: candidates, their features, what came.

Sources answer for a whole catalogue; a ranker sees the union of each source's best and a few items
that nobody has touched, or it would never learn what these are worth. Requests none of whose
candidates came next teach no order; they are counted, since they count in every mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask, Offsets, Rows, offsets_of
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.rank.evidence import ItemEvidence
from longtale.rank.features import Scored, features
from longtale.settings import Settings


class PoolSettings(Settings):
    """Which items a ranker is given."""

    depth: int = Field(default=100, ge=1, le=1000)
    """How many of the best items of each source, and of their blend, are candidates."""
    n_new: int = Field(default=20, ge=0, le=1000)
    """How many items that nobody has touched are candidates in any case, the best of them."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A batch of requests, what the sources say, and what came next.

    Args:
        queries: B requests.
        scored: what the sources and their blend say.
        targets: the relevant items of each request.
        masked: bool (B, N), items that cannot be recommended.
    """

    queries: Queries
    scored: Scored
    targets: Histories
    masked: Mask


def pooled(scored: Scored, masked: Mask, is_new: Mask, settings: PoolSettings) -> Rows:
    """Give the candidates of each request, best blended score first, padding at the end.

    Args:
        scored: what the sources and their blend say; an item without a blended score is never a
            candidate.
        masked: bool (B, N), items that must not come.
        is_new: bool (N,), items that nobody has touched.
        settings: how many of which.

    Returns:
        int32 (B, K), -1 is padding; equal scores by lower item first.
    """
    allowed = np.isfinite(scored.blended) & ~masked
    kept = np.zeros(masked.shape, dtype=np.bool_)
    for scores in (*scored.scores, scored.blended):
        _mark_best(kept, np.where(allowed, scores, np.nan), settings.depth)
    if settings.n_new and is_new.any():
        fresh = np.where(allowed & is_new, scored.blended, np.nan)
        _mark_best(kept, fresh, settings.n_new)
    found = [np.flatnonzero(row) for row in kept]
    width = max((len(row) for row in found), default=0)
    items = np.full((len(kept), max(width, 1)), -1, dtype=np.int32)
    for row, (own, blended) in enumerate(zip(found, scored.blended, strict=True)):
        items[row, : len(own)] = own[np.argsort(-blended[own], kind="stable")]
    return items


def _mark_best(kept: Mask, scores: Floats, depth: int) -> None:
    """Mark the best of each row; of items equal at the edge, which of them come is the same each
    time, and a source that tells no two items apart proposes none.
    """
    for marked, row in zip(kept, scores, strict=True):
        usable = np.flatnonzero(~np.isnan(row))
        if len(usable) > depth:
            own = row[usable]
            if own.min() == own.max():
                continue
            usable = usable[np.argpartition(-own, depth - 1)[:depth]]
        marked[usable] = True


@dataclass(frozen=True, eq=False)
class Examples:
    """G requests with a relevant candidate each, their R candidates one under the other.

    Args:
        names: the F features.
        features: float32 (R, F).
        is_target: bool (R,), candidates that came next; of each request at least one.
        offsets: int64 (G + 1,); request g's candidates, best blended first, are at
            offsets[g]:offsets[g + 1].
        n_targets: int64 (G,), relevant items of each request, candidates or not.
        users: int32 (G,), who asks; -1 is anonymous.
        n_dropped: requests none of whose candidates came next.
    """

    names: tuple[str, ...]
    features: Floats
    is_target: Mask
    offsets: Offsets
    n_targets: NDArray[np.int64]
    users: Rows
    n_dropped: int = 0

    @classmethod
    def of(
        cls, batches: Iterable[Judged], evidence: ItemEvidence, settings: PoolSettings | None = None
    ) -> Self:
        """Build from validation requests batch by batch; only what is kept stays in memory.

        Args:
            batches: requests whose targets the sources have not seen.
            evidence: what was known about the items when the sources were fitted.
            settings: which items are candidates.

        Raises:
            DataError: there is no batch, or the batches have different sources.
        """
        settings = PoolSettings() if settings is None else settings
        parts = [_of_batch(batch, evidence, settings) for batch in batches]
        if not parts:
            raise DataError(
                "a ranker learns from validation requests, and there is none; give more users with "
                "two events or more"
            )
        if len({part.names for part in parts}) > 1:
            raise DataError(
                f"batches have different features, such as {parts[0].names[:3]} and "
                f"{parts[-1].names[:3]}; ask the same sources in every batch"
            )
        return cls(
            parts[0].names,
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.is_target for part in parts]),
            offsets_of(np.concatenate([part.sizes for part in parts])),
            np.concatenate([part.n_targets for part in parts]),
            np.concatenate([part.users for part in parts]),
            sum(part.n_dropped for part in parts),
        )

    def __len__(self) -> int:
        return len(self.n_targets)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of candidates of each request, (G,)."""
        return np.diff(self.offsets)

    def where(self, kept: Mask) -> Examples:
        """Keep the chosen requests, bool (G,), and forget how many were dropped."""
        rows = np.repeat(kept, self.sizes)
        return Examples(
            self.names,
            self.features[rows],
            self.is_target[rows],
            offsets_of(self.sizes[kept]),
            self.n_targets[kept],
            self.users[kept],
        )


def _of_batch(batch: Judged, evidence: ItemEvidence, settings: PoolSettings) -> Examples:
    items = pooled(batch.scored, batch.masked, evidence.is_new, settings)
    relevant = batch.targets.matrix(len(evidence)).toarray() > 0
    is_target = np.take_along_axis(relevant, np.maximum(items, 0).astype(np.int64), axis=1)
    is_target &= items >= 0
    kept = np.flatnonzero(is_target.any(axis=1))
    chosen = Scored(batch.scored.sources, batch.scored.scores[:, kept], batch.scored.blended[kept])
    table = features(batch.queries.take(kept), items[kept], chosen, evidence)
    real = items[kept] >= 0
    return Examples(
        table.names,
        table.values[real],
        is_target[kept][real],
        offsets_of(real.sum(axis=1)),
        batch.targets.lengths[kept],
        batch.queries.user_rows[kept],
        int((batch.targets.lengths > 0).sum()) - len(kept),
    )
