"""Words that users gave to items, each with its time: no evaluation may read tomorrow's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from longtale.arrays import Mask, Rows, Times
from longtale.schema import LIST_SEPARATORS


@dataclass(frozen=True, eq=False)
class Tags:
    """Who tagged does not matter, only which item got which word when.

    Args:
        items: int32 (n,), item rows.
        words: String series (n,).
        times: int64 (n,), microseconds UTC; None where unknown.
    """

    items: Rows
    words: pl.Series
    times: Times | None = None

    @classmethod
    def none(cls) -> Tags:
        """Give the empty table."""
        return cls(np.empty(0, dtype=np.int32), pl.Series("words", [], dtype=pl.String))

    def __len__(self) -> int:
        return len(self.items)

    def before(self, time: int) -> Tags:
        """Keep what was said before a time; words without times cannot be placed and go."""
        if self.times is None:
            return Tags.none()
        return self.where(self.times < time)

    def where(self, kept: Mask) -> Tags:
        """Keep the chosen words, bool (n,)."""
        times = None if self.times is None else self.times[kept]
        return Tags(self.items[kept], self.words.filter(pl.Series(kept)), times)

    def cells(self, n_items: int) -> pl.Series:
        """Give one text cell per item, String (N,): its tags, most frequent first, then by name."""
        counted = (
            pl.DataFrame({"item": self.items, "word": self.words.str.to_lowercase()})
            .group_by("item", "word")
            .agg(pl.len().alias("n"))
            .sort("item", "n", "word", descending=[False, True, False])
            .group_by("item", maintain_order=True)
            .agg(pl.col("word").str.join(LIST_SEPARATORS[0]))
        )
        rows = pl.DataFrame({"item": np.arange(n_items, dtype=np.int32)})
        return rows.join(counted, on="item", how="left", maintain_order="left")["word"]
