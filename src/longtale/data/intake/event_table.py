"""The log of events: from a table of any length to rows, sorted by user and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longtale.arrays import Floats, offsets_of
from longtale.data.arrivals import interest_of
from longtale.data.event import EventKind
from longtale.data.intake.cells import (
    Cell,
    Fault,
    event_time_cell,
    id_cell,
    number_cell,
    propensity_cell,
    rank_cell,
    text_cell,
    value_of,
)
from longtale.data.intake.checked import check
from longtale.data.intake.id_space import IdSpace
from longtale.data.intake.mapping import EventSource
from longtale.data.intake.quarantine import Quarantine, TableReport
from longtale.data.intake.table import ROW, Table
from longtale.data.interactions import Histories, Interactions
from longtale.schema import Column


@dataclass(frozen=True, eq=False)
class EventTable:
    """Good events in the order of the source; users and items are cells of their id spaces."""

    frame: pl.DataFrame
    kinds: Mapping[str, EventKind]
    report: TableReport


def read_events(
    table: Table,
    source: EventSource,
    kinds: Mapping[str, EventKind],
    spaces: tuple[IdSpace, IdSpace],
    quarantine: Quarantine,
    *,
    now: int,
) -> EventTable:
    """Read and check the log.

    Args:
        table: where it is.
        source: what its columns mean.
        kinds: the known kinds by name; others go to quarantine.
        spaces: of user and of item ids.
        quarantine: gets what cannot be read.
        now: microseconds UTC; what lies more than a day after it goes to quarantine.

    Raises:
        SourceError: no rows.
        ColumnError: a column is missing or of the wrong type.
        TooManyBadRowsError: more bad rows than allowed.
    """
    checked = check(table, _cells(table, source, kinds, spaces, now))
    frame = checked.good
    if Column.EVENT_ID in frame.columns:
        is_first = frame[Column.EVENT_ID].is_first_distinct() | frame[Column.EVENT_ID].is_null()
        frame = frame.filter(is_first).drop(Column.EVENT_ID)
    n_duplicates = len(checked.good) - len(frame)
    report = quarantine.report(
        table, checked.bad, checked.faults, n_read=checked.n_read, n_duplicates=n_duplicates
    )
    return EventTable(frame, kinds, report)


def _cells(
    table: Table,
    source: EventSource,
    kinds: Mapping[str, EventKind],
    spaces: tuple[IdSpace, IdSpace],
    now: int,
) -> list[Cell]:
    cells = [
        spaces[0].cell(id_cell(table, source.user, Column.USER_ID, "user")),
        spaces[1].cell(id_cell(table, source.item, Column.ITEM_ID, "item")),
        _kind_cell(table, source, tuple(kinds)),
    ]
    if source.time is not None:
        cells.append(event_time_cell(table, source.time, Column.TIME, source.time_unit, now))
    if source.order is not None:
        cells.append(number_cell(table, source.order, Column.ORDER, "order", required=True))
    if source.value is not None:
        cell = number_cell(table, source.value, Column.VALUE, "value")
        cells.append(replace(cell, value=cell.value.cast(pl.Float32)))
    if source.rank is not None:
        cells.append(rank_cell(table, source.rank))
    if source.propensity is not None:
        cells.append(propensity_cell(table, source.propensity))
    if source.slate is not None:
        cells.append(text_cell(table, source.slate, Column.SLATE_ID))
    if source.event_id is not None:
        # 20 million ids as text are gigabytes; of as many hashes two collide once in 1e5 logs.
        text = text_cell(table, source.event_id, Column.EVENT_ID)
        hashed = pl.when(text.value.is_not_null()).then(text.value.hash(seed=0))
        cells.append(Cell(Column.EVENT_ID, hashed))
    return cells


def _kind_cell(table: Table, source: EventSource, names: tuple[str, ...]) -> Cell:
    default = pl.lit(names.index(source.default_kind), pl.Int16)
    if source.kind is None:
        return Cell(Column.KIND, default)
    text = text_cell(table, source.kind, Column.KIND).value
    numbers = list(range(len(names)))
    known = text.replace_strict(list(names), numbers, default=None, return_dtype=pl.Int16)
    fault = Fault(
        "unknown event kind",
        f"use one of {', '.join(names)}, or declare your own under [[data.kinds]]",
        text.is_not_null() & value_of(Column.KIND).is_null(),
        column=source.kind,
        allowed=names,
    )
    return Cell(Column.KIND, pl.when(text.is_null()).then(default).otherwise(known), (fault,))


def interactions_of(
    events: EventTable,
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    n_users: int,
) -> tuple[Interactions, Interactions]:
    """Sort events by user and time, and part those that show interest from dismissals.

    Events of the same time stay in the order of the order column, then of the source; never of ids.

    Args:
        events: n good events.
        users: int32 (n,), user rows.
        items: int32 (n,), item rows.
        n_users: U.

    Returns:
        interactions and dismissals.
    """
    by = [name for name in (Column.TIME, Column.ORDER) if name in events.frame.columns]
    chosen = [name for name in (*by, Column.KIND, Column.VALUE) if name in events.frame.columns]
    frame = events.frame.select(
        pl.Series(Column.USER_ID, users), pl.Series(Column.ITEM_ID, items), ROW, *chosen
    )
    frame = frame.sort(Column.USER_ID, *by, ROW)
    numbers = frame[Column.KIND].to_numpy()
    weights = interest_of(list(events.kinds.values()), numbers, _values(frame))
    wanted = pl.Series("wanted", weights > 0)
    liked = _interactions(frame.filter(wanted), weights[weights > 0], n_users)
    return liked, _interactions(frame.filter(~wanted), weights[weights <= 0], n_users)


def _interactions(frame: pl.DataFrame, weights: Floats, n_users: int) -> Interactions:
    offsets = offsets_of(np.bincount(frame[Column.USER_ID].to_numpy(), minlength=n_users))
    times = frame[Column.TIME].to_numpy() if Column.TIME in frame.columns else None
    histories = Histories(offsets, frame[Column.ITEM_ID].to_numpy(), weights, times)
    return Interactions(histories, frame[Column.KIND].to_numpy(), _values(frame))


def _values(frame: pl.DataFrame) -> Floats:
    """Give the value of each event, NaN where there is none."""
    if Column.VALUE in frame.columns:
        return frame[Column.VALUE].to_numpy()
    return np.full(len(frame), np.nan, dtype=np.float32)
