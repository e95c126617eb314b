"""One streaming pass over a table: our columns for the good rows, a reason for each bad one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from longtale.data.intake.cells import VALUE_PREFIX, Cell, Fault, line_faults, value_of
from longtale.data.intake.quarantine import REASON
from longtale.data.intake.table import ROW, Table

_FAULT = "__fault"


@dataclass(frozen=True, eq=False)
class Checked:
    """A table that was read once.

    Args:
        good: `ROW` and our columns, in the order of the source.
        bad: `ROW` and `REASON` of the rows that cannot be read.
        faults: everything that was looked for.
    """

    good: pl.DataFrame
    bad: pl.DataFrame
    faults: tuple[Fault, ...]

    @property
    def n_read(self) -> int:
        """Rows of the table."""
        return len(self.good) + len(self.bad)


def check(table: Table, cells: Sequence[Cell]) -> Checked:
    """Read a table; the first fault of a row is its reason.

    Raises:
        SourceError: the source cannot be parsed at all.
    """
    faults = (*line_faults(table), *(fault for cell in cells for fault in cell.faults))
    marks = [pl.when(f.bad).then(pl.lit(i, pl.UInt8)) for i, f in enumerate(faults)]
    fault = pl.coalesce(marks) if marks else pl.lit(None, pl.UInt8)
    values = [cell.value.alias(VALUE_PREFIX + cell.name) for cell in cells]
    ours = [value_of(cell.name).alias(cell.name) for cell in cells]
    wanted = table.frame.with_columns(values).select(ROW, *ours, fault.alias(_FAULT))
    read = table.collected(wanted)
    reasons = pl.Series([f.reason for f in faults], dtype=pl.String)
    bad = read.filter(pl.col(_FAULT).is_not_null())
    bad = bad.select(ROW, reasons.gather(bad[_FAULT]).alias(REASON))
    good = read.filter(pl.col(_FAULT).is_null()).drop(_FAULT)
    return Checked(good, bad, faults)
