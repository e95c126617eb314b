"""Rules for a slate: at most so many items of one group, at least so many new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field

from longtale.arrays import Mask, Rows
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.rank.groups import joined, n_groups
from longtale.rank.rerank import Places, reordered
from longtale.settings import Settings


class LimitSettings(Settings):
    """What a slate may hold, and what it must."""

    most_per_group: int | None = Field(default=None, ge=1)
    """At most this many items of one brand, provider or author in a slate; none is no limit."""
    least_new: int = Field(default=0, ge=0)
    """At least this many items in each slate that nobody has touched, where there are any."""


@dataclass(frozen=True, eq=False)
class Limits:
    """The best items that keep the rules, in the order they had; the slate is always filled.

    First the best new candidates that the quota asks for are set apart, as far as the limit allows;
    then the best others that the limit allows fill the slate; then, only where it is not full,
    those that the limit refused, the best first. What was chosen keeps its order, so a quota costs
    the last places. An item of several groups counts in each. Where each item has one group, this
    is the best set that keeps the limit; where it has several, finding that is a packing problem
    (NP-hard), and going from the best down is the usual answer.

    Args:
        settings: limit and quota.
        codes: int32 (N, M), groups of each item, -1 is none.
        most: int64 (G,), at most so many items of each group.
        is_new: bool (N,), items that fulfil the quota.
    """

    settings: LimitSettings
    codes: Rows
    most: Places
    is_new: Mask

    @classmethod
    def of(cls, codes: Rows, is_new: Mask, settings: LimitSettings) -> Self:
        """Make it for items of these groups, all with the limit of the settings."""
        return cls.by_column([(codes, settings.most_per_group)], is_new, settings)

    @classmethod
    def by_column(
        cls, columns: Sequence[tuple[Rows, int | None]], is_new: Mask, settings: LimitSettings
    ) -> Self:
        """Make it for several columns that are limited at once, each by its own number.

        One after the other would not do: what the second lets in, the first may forbid.

        Args:
            columns: groups, int32 (N, M), and at most how many items of each; None is no limit.
            is_new: bool (N,), items that fulfil the quota.
            settings: the quota; its limit is not used.
        """
        kept = [(codes, most) for codes, most in columns if most is not None]
        limits = [np.full(n_groups(codes), most, dtype=np.int64) for codes, most in kept]
        nothing = np.full((len(is_new), 0), -1, dtype=np.int32)
        return cls(
            settings,
            joined([codes for codes, _ in kept]) if kept else nothing,
            np.concatenate([*limits, np.empty(0, dtype=np.int64)]),
            is_new,
        )

    def rerank(self, queries: Queries, candidates: Candidates, k: int) -> Candidates:
        width = min(k, candidates.items.shape[1])
        places = np.full((len(candidates), width), -1, dtype=np.int64)
        counts = np.zeros_like(self.most)
        for own, items in zip(places, candidates.items, strict=True):
            kept = self._chosen(items[items >= 0], width, counts)
            own[: len(kept)] = kept
            counts[:] = 0
        return reordered(candidates, places)

    def _chosen(self, items: Rows, width: int, counts: Places) -> Places:
        """Give the columns of one slate in rising order; `counts` (G,) begins with zeros."""
        new = np.flatnonzero(self.is_new[items])
        chosen = self._allowed(items, new, min(self.settings.least_new, width), counts)
        rest = np.setdiff1d(np.arange(len(items)), chosen)
        chosen += self._allowed(items, rest, width - len(chosen), counts)
        refused = np.setdiff1d(np.arange(len(items)), chosen)
        return np.sort([*chosen, *refused[: width - len(chosen)]]).astype(np.int64)

    def _allowed(self, items: Rows, places: Places, wanted: int, counts: Places) -> list[int]:
        """Give the first columns that the limit allows, at most so many, and count their groups."""
        if not self.codes.size:
            return places[:wanted].tolist()
        chosen: list[int] = []
        for place in places.tolist():
            if len(chosen) >= wanted:
                break
            own = self.codes[items[place]]
            own = own[own >= 0]
            if (counts[own] < self.most[own]).all():
                counts[own] += 1
                chosen.append(place)
        return chosen
