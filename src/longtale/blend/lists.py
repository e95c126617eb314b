"""Validation requests as lists: the items that can matter for each, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Offsets, Rows, offsets_of, segment_positions, segment_rows
from longtale.blend.calibrate import standardised
from longtale.blend.evidence import request_evidence, sureness, widened
from longtale.data.interactions import Histories
from longtale.data.query import Queries


@dataclass(frozen=True, eq=False)
class Example:
    """A batch of validation requests with what came next.

    Args:
        queries: B requests.
        scores: float32 (S, B, N), as the retrievers gave them.
        targets: the relevant items of each of the B requests.
        masked: bool (B, N), items that cannot be recommended.
    """

    queries: Queries
    scores: Floats
    targets: Histories
    masked: Mask


@dataclass(frozen=True, eq=False)
class Lists:
    """G lists as one ragged array of n items.

    Args:
        offsets: int64 (G + 1,).
        items: int32 (n,).
        scores: float32 (n, S), standardised over the catalogue, 0 where a source cannot say.
        heard: bool (n, S), where a source can say.
        relevant: bool (n,).
        users: int32 (G,), who asks; -1 is anonymous.
        n_targets: int64 (G,), relevant items of each request, with those that no source found.
        n_events: int64 (G,), length of each history.
        requests: float32 (G, 2), `request_evidence`.
        sure: float32 (G, S), `sureness`.
        found: bool (G,), whether a source has a target among its best: only such a list can teach
            how to choose among what is found.
    """

    offsets: Offsets
    items: Rows
    scores: Floats
    heard: Mask
    relevant: Mask
    users: Rows
    n_targets: NDArray[np.int64]
    n_events: NDArray[np.int64]
    requests: Floats
    sure: Floats
    found: Mask

    @classmethod
    def of(cls, example: Example, depth: int) -> Self:
        """Keep each source's `depth` best items: others cannot reach the slate.

        A target that no source found stays away: it would stand among what sources found, unlike
        all of its kind that nobody wants, and a gate would learn to tell it by just that.
        """
        calibrated = standardised(example.scores)
        sure = sureness(calibrated).T
        best = _best(calibrated, example.masked, depth)
        relevant = example.targets.matrix(best.shape[1]).toarray() > 0
        owners, items = np.nonzero(best)
        return cls(
            offsets_of(np.bincount(owners, minlength=len(best))),
            items.astype(np.int32),
            calibrated[:, owners, items].T.copy(),
            ~np.isnan(example.scores[:, owners, items].T),
            relevant[owners, items],
            example.queries.user_rows,
            example.targets.lengths,
            example.queries.histories.lengths,
            request_evidence(example.queries),
            sure.copy(),
            (best & relevant).any(axis=1),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """Number of the list of each item, (n,)."""
        return segment_rows(self.offsets)

    @cached_property
    def _of_targets(self) -> tuple[NDArray[np.int64], Offsets, NDArray[np.int64]]:
        """The places of the targets, and for each of them the places of its whole list."""
        targets = np.flatnonzero(self.relevant)
        own = self.owners[targets]
        spans = offsets_of(np.diff(self.offsets)[own])
        return targets, spans, segment_positions(self.offsets, own)

    def take(self, chosen: NDArray[np.integer]) -> Self:
        """Give the chosen lists, in that order."""
        places = segment_positions(self.offsets, chosen)
        offsets = offsets_of(np.diff(self.offsets)[chosen])
        flat = (getattr(self, name)[places] for name in _FLAT)
        return type(self)(offsets, *flat, *(getattr(self, name)[chosen] for name in _PER_LIST))

    def where(self, kept: Mask) -> Self:
        """Keep the chosen items, bool (n,); every list stays, perhaps with nothing in it."""
        offsets = offsets_of(np.bincount(self.owners[kept], minlength=len(self)))
        flat = (getattr(self, name)[kept] for name in _FLAT)
        return type(self)(offsets, *flat, *(getattr(self, name) for name in _PER_LIST))

    @classmethod
    def concatenated(cls, parts: Sequence[Lists]) -> Self:
        """Put lists behind each other."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        names = (*_FLAT, *_PER_LIST)
        joined = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(offsets_of(lengths), *joined)

    def evidence(self, items: Floats) -> Floats:
        """Give the evidence of each listed item, float32 (n, 3), from that of all, (N, 3)."""
        return widened(items, max(len(items), int(self.items.max(initial=-1)) + 1))[self.items]

    def ndcg(self, totals: Floats, cutoff: int) -> NDArray[np.float64]:
        """Give the nDCG of each list, (G,), NaN without a target; targets lose every tie.

        Losing them keeps a source that says nothing from winning by the order of the items.

        Args:
            totals: float32 (n,), what the list is ordered by.
            cutoff: how many places count.
        """
        targets, spans, places = self._of_targets
        ahead = totals[places] >= np.repeat(totals[targets], np.diff(spans))
        ranks = np.add.reduceat(ahead, spans[:-1], dtype=np.int64) if len(targets) else targets
        gains = np.where(ranks <= cutoff, 1 / np.log2(1 + ranks), 0)
        reached = np.bincount(self.owners[targets], gains, minlength=len(self))
        ideal = np.cumsum(1 / np.log2(np.arange(2, cutoff + 2)))
        best = ideal[np.clip(self.n_targets, 1, cutoff) - 1]
        return np.where(self.n_targets > 0, reached / best, np.nan)


_FLAT = ("items", "scores", "heard", "relevant")
_PER_LIST = tuple(field.name for field in fields(Lists) if field.name not in (*_FLAT, "offsets"))


def _best(calibrated: Floats, masked: Mask, depth: int) -> Mask:
    n_items = masked.shape[1]
    kept = np.zeros(masked.shape, dtype=np.bool_)
    for scores in calibrated:
        allowed = np.where(masked, np.float32(-np.inf), scores)
        best = np.argpartition(-allowed, min(depth, n_items - 1), axis=1)[:, :depth]
        np.put_along_axis(kept, best, values=True, axis=1)
    return kept & ~masked
