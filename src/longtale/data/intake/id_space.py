"""Ids as numbers while tables are read, before there is a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from longtale.arrays import Rows
from longtale.data.intake.cells import Cell


@dataclass(frozen=True, eq=False)
class IdSpace:
    """Numbers that stand for texts while tables are read, so that a text is held only once.

    The numbers are those of a polars categorical: a text has the same number in every table. Polars
    forgets them with the last column that uses them, so that the space holds one.
    """

    anchor: pl.Series

    @classmethod
    def new(cls) -> IdSpace:
        """Give an empty space."""
        return cls(pl.Series("anchor", [""], dtype=pl.Categorical(pl.Categories.random())))

    @property
    def dtype(self) -> pl.DataType:
        """Type of the columns that are held in this space."""
        return self.anchor.dtype

    def cell(self, cell: Cell) -> Cell:
        """Have a cell's text held in this space."""
        return Cell(cell.name, cell.value.cast(self.dtype), cell.faults)

    def first_seen(self, *columns: pl.Series) -> pl.Series:
        """Give the distinct texts of some columns, String, in the order in which they appear."""
        ids = pl.concat([column.cast(self.dtype).alias("id") for column in columns])
        numbered = pl.LazyFrame({"n": ids.to_physical()}).with_row_index("at")
        first = numbered.group_by("n").agg(pl.col("at").min()).sort("at").collect()
        return ids.gather(first["at"]).cast(pl.String)

    def rows(self, column: pl.Series, ids: pl.Series) -> Rows:
        """Give the place of each cell among `ids`, int32; -1 where it is not one of them."""
        known = ids.cast(self.dtype).to_physical().to_numpy()
        asked = column.cast(self.dtype).to_physical().to_numpy()
        size = 1 + max(known.max(initial=0), asked.max(initial=0))
        row_of = np.full(size, -1, dtype=np.int32)
        row_of[known] = np.arange(len(known), dtype=np.int32)
        return row_of[asked]
