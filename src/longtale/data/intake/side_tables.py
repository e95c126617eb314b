"""Tables beside the log: words that users gave to items, and what was shown in slates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longtale.data.impressions import Impressions
from longtale.data.intake.cells import (
    Cell,
    Fault,
    event_time_cell,
    id_cell,
    propensity_cell,
    rank_cell,
    text_cell,
    value_of,
)
from longtale.data.intake.checked import Checked, check
from longtale.data.intake.id_space import IdSpace
from longtale.data.intake.mapping import ImpressionSource, TagSource
from longtale.data.intake.quarantine import REASON, Quarantine, TableReport
from longtale.data.intake.table import ROW, Table
from longtale.data.tags import Tags
from longtale.schema import Column

WORD = "word"
RowsOf = Callable[[pl.Series], NDArray[np.int32]]
"""From ids to rows, -1 where an id is unknown."""


def read_tags(
    table: Table, source: TagSource, item_rows: RowsOf, quarantine: Quarantine, *, now: int
) -> tuple[Tags, TableReport]:
    """Read and check tags; those of items that do not exist go to quarantine.

    Raises:
        SourceError: no rows.
        ColumnError: a column is missing or of the wrong type.
        TooManyBadRowsError: more bad rows than allowed.
    """
    word = text_cell(table, source.tag, WORD)
    blank = Fault("blank tag", f"fill '{source.tag}' or remove the row", value_of(WORD).is_null())
    cells = [id_cell(table, source.item, Column.ITEM_ID, "item"), Cell(WORD, word.value, (blank,))]
    if source.time is not None:
        cells.append(event_time_cell(table, source.time, Column.TIME, source.time_unit, now))
    checked = check(table, cells)
    rows = item_rows(checked.good[Column.ITEM_ID])
    good, bad, faults = _of_known_items(checked, rows)
    report = quarantine.report(table, bad, faults, n_read=checked.n_read)
    times = good[Column.TIME].to_numpy() if source.time is not None else None
    return Tags(rows[rows >= 0], good[WORD], times), report


def _of_known_items(
    checked: Checked, rows: NDArray[np.int32]
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[Fault, ...]]:
    unknown = Fault("unknown item", "add the item to the catalogue", pl.lit(False))
    is_known = pl.Series(rows >= 0)
    lost = checked.good.filter(~is_known).select(ROW, pl.lit(unknown.reason).alias(REASON))
    bad = pl.concat([checked.bad, lost])
    return checked.good.filter(is_known), bad, (*checked.faults, unknown)


def read_impressions(
    table: Table,
    source: ImpressionSource,
    spaces: tuple[IdSpace, IdSpace],
    quarantine: Quarantine,
    *,
    now: int,
) -> tuple[pl.DataFrame, TableReport]:
    """Read and check what was shown; users and items are cells of their id spaces.

    Raises:
        SourceError: no rows.
        ColumnError: a column is missing or of the wrong type.
        TooManyBadRowsError: more bad rows than allowed.
    """
    slate = id_cell(table, source.slate, Column.SLATE_ID, "slate")
    cells = [
        slate,
        spaces[0].cell(id_cell(table, source.user, Column.USER_ID, "user")),
        spaces[1].cell(id_cell(table, source.item, Column.ITEM_ID, "item")),
    ]
    if source.rank is not None:
        cells.append(rank_cell(table, source.rank))
    if source.propensity is not None:
        cells.append(propensity_cell(table, source.propensity))
    if source.time is not None:
        cells.append(event_time_cell(table, source.time, Column.TIME, source.time_unit, now))
    checked = check(table, cells)
    report = quarantine.report(table, checked.bad, checked.faults, n_read=checked.n_read)
    return checked.good, report


def shown_with_events(events: pl.DataFrame) -> pl.DataFrame:
    """Give what events themselves say was shown: one row per slate and item touched."""
    if Column.SLATE_ID not in events.columns:
        return pl.DataFrame()
    touched = events.filter(pl.col(Column.SLATE_ID).is_not_null())
    return touched.unique([Column.SLATE_ID, Column.ITEM_ID], keep="first", maintain_order=True)


def impressions_of(
    shown: pl.DataFrame, users: NDArray[np.int32], items: NDArray[np.int32]
) -> Impressions:
    """Put rows in the place of ids; a rank or propensity that is not there is 0 and NaN."""
    n = len(shown)
    names = shown.columns
    ranks = (
        shown[Column.RANK].fill_null(0).cast(pl.Int32).to_numpy() if Column.RANK in names else None
    )
    chances = shown[Column.PROPENSITY].cast(pl.Float32) if Column.PROPENSITY in names else None
    return Impressions(
        shown[Column.SLATE_ID],
        users,
        items,
        np.zeros(n, dtype=np.int32) if ranks is None else ranks,
        np.full(n, np.nan, dtype=np.float32) if chances is None else chances.to_numpy(),
        shown[Column.TIME].to_numpy() if Column.TIME in names else None,
    )
