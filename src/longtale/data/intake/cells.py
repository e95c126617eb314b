"""What a cell means: ids, times, numbers and truth, from whatever type the source gave it.

Each function gives polars expressions, so that a table of any length is read in one streaming pass.
A cell that cannot be understood becomes null and carries a fault; rows with faults are set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from longtale.arrays import DAY
from longtale.data.intake.mapping import TimeUnit
from longtale.data.intake.table import SURPLUS, UNREADABLE, Table
from longtale.errors import ColumnError
from longtale.schema import Column

BLANKS = ("", "nan", "null", "inf", "-inf", "+inf")
"""Texts, in lower case, that name nobody and nothing."""
TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
)
ZONED_FORMATS = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M%:z")
VALUE_PREFIX = "__value_"
"""Set our columns apart from the user's while both are there."""
_PER_UNIT = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0}
# Seconds reach 1e11 in the year 5138; milliseconds and microseconds follow a thousandfold.
_SECONDS_BELOW, _MILLISECONDS_BELOW, _MICROSECONDS_BELOW = 1e11, 1e14, 1e17
_MAX_MICROS = 9.2e18
_MAX_RANK = 1e6


@dataclass(frozen=True)
class Fault:
    """One way in which a row can be unreadable, and how to mend it.

    Args:
        reason: what is wrong, in a few words.
        hint: how to mend it.
        bad: true where it is so, over the user's columns and `value_of` ours.
        column: the user's column whose values the hint shows, where that helps.
        allowed: what may stand in that column.
    """

    reason: str
    hint: str
    bad: pl.Expr
    column: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One column of ours: its value, from the user's columns, and what can be wrong with it."""

    name: str
    value: pl.Expr
    faults: tuple[Fault, ...] = ()


def value_of(name: str) -> pl.Expr:
    """Give the value of one of our columns, for use in a fault."""
    return pl.col(VALUE_PREFIX + name)


def id_cell(table: Table, column: str, name: str, noun: str) -> Cell:
    """Give ids as text: kept to the letter but for surrounding white space; 1.0 is 1.

    Whole numbers in a column of floats, which is what a table with gaps makes of integers, lose
    their `.0`; in a text file this is done where the first thousand cells all end so.
    """
    dtype = table.dtype(column)
    raw = pl.col(column)
    if dtype == pl.String:
        value = raw.str.strip_chars()
        if _reads_as_floats(table.sample(column)):
            value = value.str.replace(r"^(-?\d+)\.0+$", "$1")
    elif dtype.is_float():
        whole = raw.is_finite() & (raw == raw.round())
        value = (
            pl.when(whole)
            .then(raw.cast(pl.Int64, strict=False).cast(pl.String))
            .when(raw.is_finite())
            .then(raw.cast(pl.String))
        )
    elif dtype.is_integer() or dtype.is_decimal() or dtype in (pl.Categorical, pl.Enum, pl.Null):
        value = raw.cast(pl.String)
    else:
        raise _wrong_type(table, column, "an id is text or a number")
    value = pl.when(~value.str.to_lowercase().is_in(BLANKS)).then(value)
    fault = Fault(
        f"no {noun} id",
        f"fill '{column}'; blank, NaN and infinite ids name nothing",
        value_of(name).is_null(),
    )
    return Cell(name, value, (fault,))


def _reads_as_floats(sample: pl.Series) -> bool:
    cells = sample.drop_nulls()
    return len(cells) > 0 and bool(cells.str.contains(r"^\s*-?\d+\.0+\s*$").all())


def time_cell(table: Table, column: str, name: str, unit: TimeUnit) -> Cell:
    """Give times as int64 microseconds since 1970 UTC; those without zone are taken as UTC."""
    unreadable = Fault(
        "time cannot be read",
        f"write '{column}' as 2024-05-31T12:00:00Z or as seconds since 1970; blank is no time",
        value_of(name).is_null(),
    )
    return Cell(name, micros(table, column, unit), (unreadable,))


def event_time_cell(table: Table, column: str, name: str, unit: TimeUnit, now: int) -> Cell:
    """Give times of things that happened: not before 1970, and not in the future.

    Args:
        table: where the column is.
        column: the user's name of it.
        name: ours.
        unit: of times that are numbers.
        now: microseconds UTC; up to a day after it is tolerated.
    """
    cell = time_cell(table, column, name, unit)
    early = Fault("time before 1970", f"check the unit of '{column}'", value_of(name) < 0)
    late = Fault(
        "time in the future", f"check the unit and clock of '{column}'", value_of(name) > now + DAY
    )
    return replace(cell, faults=(*cell.faults, early, late))


def micros(table: Table, column: str, unit: TimeUnit) -> pl.Expr:
    """Give a time in microseconds UTC, null if it cannot be read."""
    dtype = table.dtype(column)
    raw = pl.col(column)
    if dtype == pl.String:
        return raw.map_batches(
            lambda cells: _from_cells(cells, unit), return_dtype=pl.Int64, is_elementwise=True
        )
    if isinstance(dtype, pl.Datetime):
        zoned = raw if dtype.time_zone is None else raw.dt.convert_time_zone("UTC")
        return zoned.dt.timestamp("us")
    if dtype == pl.Date:
        return raw.cast(pl.Datetime("us")).dt.timestamp("us")
    if dtype.is_numeric() or dtype == pl.Null:
        return _scaled(raw.cast(pl.Float64), unit)
    raise _wrong_type(table, column, "a time is text, a date or a number")


def _scaled(number: pl.Expr, unit: TimeUnit) -> pl.Expr:
    if unit == "auto":
        size = number.abs()
        factor = (
            pl.when(size < _SECONDS_BELOW)
            .then(1e6)
            .when(size < _MILLISECONDS_BELOW)
            .then(1e3)
            .when(size < _MICROSECONDS_BELOW)
            .then(1.0)
            .otherwise(1e-3)
        )
        scaled = number * factor
    else:
        scaled = number * _PER_UNIT[unit]
    return pl.when(scaled.abs() < _MAX_MICROS).then(scaled).round().cast(pl.Int64, strict=False)


def _from_cells(cells: pl.Series, unit: TimeUnit) -> pl.Series:
    """Read numbers, and only what is none as a date, which takes ten times as long."""
    text = pl.col("text")
    frame = cells.str.strip_chars().alias("text").to_frame()
    times = frame.select(_scaled(text.cast(pl.Float64, strict=False), unit)).to_series()
    if times.null_count() > frame["text"].null_count():
        others = pl.when(times.is_null()).then(text)
        times = frame.select(pl.coalesce(times, _from_text(others))).to_series()
    return times


def _from_text(text: pl.Expr) -> pl.Expr:
    plain = text.str.replace(r"^(\S{10})[Tt]", "$1 ").str.replace("(Z| ?UTC)$", "+00:00")
    plain = plain.str.replace(r"([+-]\d\d)(\d\d)$", "$1:$2")
    stamps = [
        plain.str.to_datetime(form, time_unit="us", strict=False) for form in TIME_FORMATS
    ] + [
        plain.str.to_datetime(
            form, time_unit="us", time_zone="UTC", strict=False
        ).dt.replace_time_zone(None)
        for form in ZONED_FORMATS
    ]
    return pl.coalesce(stamps).dt.timestamp("us")


def number_cell(table: Table, column: str, name: str, noun: str, *, required: bool = False) -> Cell:
    """Give numbers as float64; a blank or NaN is null, an infinite number or other text a fault."""
    dtype = table.dtype(column)
    raw = pl.col(column)
    if dtype == pl.String:
        text = raw.str.strip_chars()
        parsed = text.cast(pl.Float64, strict=False)
        is_blank = raw.is_null() | (text == "") | parsed.is_nan().fill_null(value=False)
    elif dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        parsed = raw.cast(pl.Float64)
        is_blank = parsed.is_null() | parsed.is_nan()
    else:
        raise _wrong_type(table, column, f"a {noun} is a number")
    value = pl.when(parsed.is_finite()).then(parsed)
    is_missing = value_of(name).is_null()
    bad = is_missing if required else is_missing & ~is_blank
    hint = f"write '{column}' as a finite number" + ("" if required else ", or leave it blank")
    return Cell(name, value, (Fault(f"{noun} is not a number", hint, bad),))


def rank_cell(table: Table, column: str) -> Cell:
    """Give places in a slate: whole numbers; a blank is null."""
    cell = number_cell(table, column, Column.RANK, "rank")
    place = value_of(Column.RANK)
    bad = (place != place.round()) | ~place.is_between(0, _MAX_RANK)
    hint = f"write '{column}' as a whole number, 1 is the first, or leave it blank"
    return replace(cell, faults=(*cell.faults, Fault("rank is no place in a list", hint, bad)))


def propensity_cell(table: Table, column: str) -> Cell:
    """Give probabilities; a blank is null."""
    cell = number_cell(table, column, Column.PROPENSITY, "propensity")
    bad = ~value_of(Column.PROPENSITY).is_between(0, 1)
    hint = f"write '{column}' as a number from 0 to 1, or leave it blank"
    return replace(cell, faults=(*cell.faults, Fault("propensity is no probability", hint, bad)))


def text_cell(table: Table, column: str, name: str) -> Cell:
    """Give text without surrounding white space; blank is null."""
    table.dtype(column)
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return Cell(name, pl.when(text != "").then(text))


def truth(table: Table, column: str) -> pl.Expr:
    """Say yes or no: true, yes, y, t, 1 are true; all else and blank is false."""
    dtype = table.dtype(column)
    if dtype.is_numeric() or dtype == pl.Boolean:
        return pl.col(column).cast(pl.Float64).fill_null(0) != 0
    text = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.is_in(["true", "yes", "y", "t", "1", "1.0"]).fill_null(value=False)


def line_faults(table: Table) -> Sequence[Fault]:
    """Give the faults of lines that have more cells than the header, or are no JSON object."""
    faults = []
    if table.can_be_ragged:
        bad = pl.any_horizontal(pl.col(*SURPLUS).is_not_null())
        hint = "put cells that hold the delimiter between double quotes"
        faults.append(Fault("line has more cells than the header", hint, bad))
    if UNREADABLE in table.schema:
        bad = pl.col(UNREADABLE).is_not_null()
        faults.append(Fault("line is no JSON object", "write one JSON object in each line", bad))
    return faults


def _wrong_type(table: Table, column: str, allowed: str) -> ColumnError:
    return ColumnError(
        f"column '{column}' of {table.origin} holds {table.schema[column]}; {allowed}; "
        f"name another column in [data.{table.name}] or convert it"
    )
