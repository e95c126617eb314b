"""What was shown: which item, at which rank of which slate, with which probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from longtale.arrays import Floats, Mask, Rows, Times


@dataclass(frozen=True, eq=False)
class Impressions:
    """Items shown in slates; an item nobody saw is not a negative.

    Args:
        slates: String series (n,), slate id.
        users: int32 (n,), user rows.
        items: int32 (n,), item rows.
        ranks: int32 (n,), place in the slate, 1 is the first.
        propensities: float32 (n,), probability that this item stood at this rank; NaN if unknown.
        times: int64 (n,), microseconds UTC; None where unknown.
    """

    slates: pl.Series
    users: Rows
    items: Rows
    ranks: Rows
    propensities: Floats
    times: Times | None = None

    @classmethod
    def none(cls) -> Impressions:
        """Give the empty table."""
        rows = np.empty(0, dtype=np.int32)
        slates = pl.Series("slate_id", [], dtype=pl.String)
        return cls(slates, rows, rows, rows, np.empty(0, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.items)

    def before(self, time: int) -> Impressions:
        """Keep what was shown before a time; what has no time cannot be placed and is left out."""
        if self.times is None:
            return Impressions.none()
        return self.where(self.times < time)

    def where(self, kept: Mask) -> Impressions:
        """Keep the chosen impressions, bool (n,)."""
        return Impressions(
            self.slates.filter(pl.Series(kept)),
            self.users[kept],
            self.items[kept],
            self.ranks[kept],
            self.propensities[kept],
            None if self.times is None else self.times[kept],
        )
