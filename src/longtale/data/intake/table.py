"""A table as it lies at its source: the user's own columns, and the number of each row."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from longtale.errors import ColumnError, SourceError, did_you_mean

ROW = "__row"
"""Number of the row at its source, 1 is the first below the header."""
SURPLUS = ("__surplus_1", "__surplus_2", "__surplus_3", "__surplus_4")
"""Cells of a line of text that has more of them than the header."""
UNREADABLE = "__unreadable"
"""A line of NDJSON which is no JSON object."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table that has been found, and is not yet read.

    Args:
        name: what it is to Longtale: events, items, users, tags or impressions.
        origin: where it is from, for messages; never holds a password.
        frame: the user's columns and `ROW`, `SURPLUS` where lines can be too long, and `UNREADABLE`
            where some are no rows at all.
        schema: types of the user's columns.
    """

    name: str
    origin: str
    frame: pl.LazyFrame
    schema: pl.Schema = field(repr=False)

    @property
    def columns(self) -> list[str]:
        """The user's columns."""
        return [name for name in self.schema if name not in (ROW, *SURPLUS, UNREADABLE)]

    @property
    def can_be_ragged(self) -> bool:
        """Whether lines may have more cells than the header."""
        return SURPLUS[0] in self.schema

    def dtype(self, column: str) -> pl.DataType:
        """Give the type of one of the user's columns.

        Raises:
            ColumnError: there is no such column.
        """
        if column not in self.columns:
            raise ColumnError(
                f"{self.origin} has no column '{column}', which [data.{self.name}] names; "
                f"its columns are {', '.join(self.columns)}{did_you_mean(column, self.columns)}"
            )
        return self.schema[column]

    def sample(self, column: str, n_rows: int = 1000) -> pl.Series:
        """Give the first cells of a column."""
        return self.collected(self.frame.select(column).head(n_rows))[column]

    def collected(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """Read what was made of `frame`.

        Raises:
            SourceError: the source cannot be parsed at all.
        """
        try:
            return frame.collect(engine="streaming")
        except (pl.exceptions.ComputeError, OSError) as error:
            lines = str(error).splitlines()
            raise SourceError(
                f"{self.origin} cannot be parsed: {lines[0][:200]} ... {lines[-1][:200]}; if a "
                'cell holds quotes, put it between double quotes and double its own: "a ""b"""'
            ) from None
