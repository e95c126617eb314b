"""Items and users as they stand in their tables: one row each, with words and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from longtale.data.catalog import TextField
from longtale.data.intake.cells import Cell, Fault, id_cell, text_cell, time_cell, truth
from longtale.data.intake.checked import Checked, check
from longtale.data.intake.mapping import ItemSource, UserSource
from longtale.data.intake.quarantine import REASON, Quarantine, TableReport
from longtale.data.intake.table import ROW, Table
from longtale.schema import LIST_SEPARATORS, Column, Role

ID = "__id"


@dataclass(frozen=True, eq=False)
class EntityTable:
    """Items or users, one row each, in the order of the source.

    Args:
        ids: String series (n,), unique.
        frame: attributes and text, n rows, without the id.
        report: what became of the rows.
    """

    ids: pl.Series
    frame: pl.DataFrame
    report: TableReport


def read_items(table: Table, source: ItemSource, quarantine: Quarantine) -> EntityTable:
    """Read and check the catalogue; columns without a role are kept as attributes.

    Raises:
        SourceError: no rows.
        ColumnError: a column is missing or of the wrong type.
        TooManyBadRowsError: more bad rows than allowed.
    """
    cells: list[Cell] = []
    taken = {source.id}
    for column, name in (
        (source.available_from, Column.AVAILABLE_FROM),
        (source.available_until, Column.AVAILABLE_UNTIL),
    ):
        if column is not None:
            cells.append(_moment_cell(table, column, name, source))
            taken.add(column)
    if source.hidden is not None:
        cells.append(Cell(Column.HIDDEN, truth(table, source.hidden)))
        taken.add(source.hidden)
    texts = [name for role in Role for name in source.columns_of(role)]
    return _read_entities(table, source.id, "item", cells, texts, taken, quarantine)


def read_users(table: Table, source: UserSource, quarantine: Quarantine) -> EntityTable:
    """Read and check the users; raises as `read_items` does."""
    return _read_entities(table, source.id, "user", [], source.text, {source.id}, quarantine)


def text_fields(source: ItemSource) -> tuple[TextField, ...]:
    """Give the text fields of the catalogue, in the order of their roles."""
    return tuple(TextField(name, role) for role in Role for name in source.columns_of(role))


def _moment_cell(table: Table, column: str, name: str, source: ItemSource) -> Cell:
    cell = time_cell(table, column, name, source.time_unit)
    present = text_cell(table, column, name).value.is_not_null()
    faults = tuple(Fault(f.reason, f.hint, f.bad & present) for f in cell.faults)
    return Cell(name, cell.value.cast(pl.Datetime("us")), faults)


def _read_entities(
    table: Table,
    id_column: str,
    noun: str,
    cells: Sequence[Cell],
    texts: Sequence[str],
    taken: set[str],
    quarantine: Quarantine,
) -> EntityTable:
    for name in texts:
        table.dtype(name)
    free = [name for name in table.columns if name not in taken]
    cells = [id_cell(table, id_column, ID, noun), *cells, *(Cell(c, pl.col(c)) for c in free)]
    checked = check(table, cells)
    unique, bad, faults = _without_repetitions(checked, noun)
    n_duplicates = checked.n_read - len(unique) - len(bad)
    frame = unique.drop(ROW, ID).select(
        _words(unique[name]) if name in texts else attribute(unique[name])
        for name in unique.columns
        if name not in (ROW, ID)
    )
    report = quarantine.report(table, bad, faults, n_read=checked.n_read, n_duplicates=n_duplicates)
    return EntityTable(unique[ID], frame, report)


def _without_repetitions(
    checked: Checked, noun: str
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[Fault, ...]]:
    """Merge identical rows; of rows that contradict each other the first is kept."""
    fault = Fault(
        f"repeated {noun} id with other content",
        f"keep one row per {noun}; the first one was taken",
        pl.lit(False),
    )
    content = checked.good.drop(ROW)
    distinct = checked.good.filter(content.hash_rows(seed=0).is_first_distinct())
    is_first = distinct[ID].is_first_distinct()
    conflicts = distinct.filter(~is_first).select(ROW, pl.lit(fault.reason).alias(REASON))
    bad = pl.concat([checked.bad, conflicts])
    return distinct.filter(is_first), bad, (*checked.faults, fault)


def _words(column: pl.Series) -> pl.Series:
    """Give text cells: lists are joined, blanks are null."""
    if isinstance(column.dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.join(LIST_SEPARATORS[0], ignore_nulls=True)
    text = column.cast(pl.String).str.strip_chars()
    return text.to_frame().select(pl.when(text != "").then(text).alias(column.name)).to_series()


def attribute(column: pl.Series) -> pl.Series:
    """Give an attribute in the narrowest type that holds all of it; NaN and infinity are null.

    Text becomes integers or floats where every cell is such a number and none has a leading zero,
    which only a code has.
    """
    if column.dtype.is_decimal():  # no filter and no JSON tells decimals from numbers
        column = column.cast(pl.Float64)
    if column.dtype.is_float():
        return (
            column.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series()
        )
    if column.dtype != pl.String:
        return column
    text = _words(column)
    present = text.drop_nulls()
    if present.is_empty() or present.str.contains(r"^[+-]?0\d").any():
        return text
    for dtype in (pl.Int64, pl.Float64):
        typed = text.cast(dtype, strict=False)
        if typed.null_count() == text.null_count():
            return attribute(typed) if dtype == pl.Float64 else typed
    return text
