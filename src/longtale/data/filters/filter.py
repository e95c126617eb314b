r"""Filters: which items of the catalogue meet a condition on their attributes, as users write it.

    year >= 1990 and genres has 'Drama'
    not (language in ('en', 'fr') or title contains "war") and `release day` <= '2024-01-31'

    filter    = both {"or" both}
    both      = negated {"and" negated}              "and" binds tighter than "or"
    negated   = "not" negated | "(" filter ")" | condition
    condition = column ("=" | "==" | "!=" | "<" | "<=" | ">" | ">=") value
              | column ["not"] "in" "(" value {"," value} ")"
              | column ("has" | "contains") value
              | column "is" ["not"] "missing"
    column    = a bare word, or anything in `backticks` (a backtick inside is doubled)
    value     = 'text' | "text" | number | true | false        escapes: \\ \' \" \n \t

Words of the grammar may be in capitals. What the operators mean:

- `=` and `in` compare text exactly, `<` by code point. `has` and `contains` ignore case.
- `has` asks whether a list has a value. Lists are List columns, or text such as `Drama|War`: the
  first of `schema.LIST_SEPARATORS` found in a cell parts it; spaces around a value do not count.
- `contains` asks whether a text has the given text somewhere inside.
- Dates are texts `'YYYY-MM-DD'`; a time is compared by its day in UTC, so `<= '2024-01-31'`
  includes that whole day.
- A condition on a missing value (null or NaN) is false, whichever its operator: `year = 1990`,
  `year != 1990` and `year not in (1990)` all leave out an item without a year. `not` before a
  condition turns its answer around, so `not (year >= 1990)` keeps the items without a year, which
  `year < 1990` does not.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import polars as pl

from longtale.arrays import Mask
from longtale.data.filters.syntax import And, Condition, Literal, Node, Not, Operator, Or, parse
from longtale.data.filters.tokens import pointed_error
from longtale.errors import FilterError, did_you_mean
from longtale.schema import LIST_SEPARATORS


class _Kind(StrEnum):
    """What the cells of a column are, in the words of error messages."""

    NUMBER = "numbers"
    TEXT = "text"
    TRUTH = "true or false"
    DATE = "dates"
    LIST = "lists"
    NOTHING = "only missing values"
    OTHER = "values that filters cannot read"


_MEMBERSHIP = {Operator.EQUAL, Operator.UNEQUAL, Operator.IN, Operator.NOT_IN}
_ORDER = {Operator.LESS, Operator.AT_MOST, Operator.MORE, Operator.AT_LEAST}
_OPERATORS: dict[_Kind, set[Operator]] = {
    _Kind.NUMBER: _MEMBERSHIP | _ORDER,
    _Kind.TEXT: _MEMBERSHIP | _ORDER | {Operator.HAS, Operator.CONTAINS},
    _Kind.TRUTH: _MEMBERSHIP,
    _Kind.DATE: _MEMBERSHIP | _ORDER,
    _Kind.LIST: {Operator.HAS},
    _Kind.NOTHING: set(Operator),
    _Kind.OTHER: set(),
}
_WRITTEN = {
    _Kind.NUMBER: "a number, such as 1990",
    _Kind.TEXT: "a text in quotes, such as 'Drama'",
    _Kind.TRUTH: "true or false",
    _Kind.DATE: "a date in quotes, such as '2024-01-31'",
}
_COMPARE: dict[Operator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}
_Value = str | int | float | bool | dt.date
_KIND_OF_VALUE = {
    bool: _Kind.TRUTH,
    int: _Kind.NUMBER,
    float: _Kind.NUMBER,
    str: _Kind.TEXT,
}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Filter:
    """A condition on the attributes of items, read by `parse_filter`.

    Args:
        text: the filter as it was written.
        columns: the attributes it reads, each once, in order of appearance.
    """

    text: str
    columns: tuple[str, ...]
    _root: Node = field(repr=False)

    def mask(self, frame: pl.DataFrame) -> Mask:
        """Say which rows of a frame meet the condition, bool (N,).

        Raises:
            FilterError: A column does not exist, or cannot be asked what the filter asks of it.
        """
        met = _Compiler(self.text, frame.schema).expression(self._root)
        return frame.select(met.alias("met"))["met"].to_numpy()


def parse_filter(text: str) -> Filter:
    """Read a filter; the grammar stands at the head of this module.

    Raises:
        FilterError: The text is not a filter; the message shows the place.

    Example:
        >>> condition = parse_filter("year >= 1990 and genres has 'Drama'")
        >>> frame = pl.DataFrame({"year": [1994, 1980], "genres": ["Crime|Drama", "Drama"]})
        >>> condition.mask(frame).tolist()
        [True, False]
    """
    root = parse(text)
    return Filter(text, tuple(dict.fromkeys(_columns(root))), root)


def _columns(node: Node) -> Iterator[str]:
    match node:
        case Condition(column=column):
            yield column
        case Not(part=part):
            yield from _columns(part)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from _columns(part)


@dataclass(frozen=True)
class _Compiler:
    """Turns a tree into one expression without nulls, for the columns of one frame."""

    text: str
    schema: pl.Schema

    def expression(self, node: Node) -> pl.Expr:
        match node:
            case Not(part=part):
                return ~self.expression(part)
            case And(parts=parts):
                return pl.all_horizontal([self.expression(part) for part in parts])
            case Or(parts=parts):
                return pl.any_horizontal([self.expression(part) for part in parts])
            case Condition():
                return self._condition(node)

    def _condition(self, condition: Condition) -> pl.Expr:
        name = condition.column
        if name not in self.schema:
            hint = did_you_mean(name, self.schema) or f"; expected one of {', '.join(self.schema)}"
            raise self._error(condition, f"unknown column '{name}'{hint}")
        dtype = self.schema[name]
        column = pl.col(name)
        if dtype.is_float():
            column = column.fill_nan(None)
        if condition.operator is Operator.MISSING:
            return column.is_null()
        if condition.operator is Operator.PRESENT:
            return column.is_not_null()
        return self._comparison(condition, column, dtype).fill_null(value=False)

    def _comparison(self, condition: Condition, column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        kind = _kind(dtype)
        self._check_operator(condition, kind)
        if kind is _Kind.NOTHING:
            return column.is_not_null()
        asked = condition.operator
        if asked is Operator.HAS:
            return self._has(condition, column, dtype)
        values = [self._value(condition, literal, kind) for literal in condition.values]
        if asked is Operator.CONTAINS:
            return _lower(column).str.contains(pl.lit(str(values[0]).lower()), literal=True)
        comparable, target = _comparable(column, dtype, values)
        if asked in _COMPARE:
            return _COMPARE[asked](comparable, pl.lit(values[0], dtype=target))
        among = comparable.is_in(pl.lit(pl.Series(values, dtype=target, strict=False)).implode())
        return ~among if asked is Operator.NOT_IN else among

    def _has(self, condition: Condition, column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        cells = column.arr.to_list() if isinstance(dtype, pl.Array) else column
        inner = dtype
        if is_list := isinstance(dtype, pl.List | pl.Array):
            inner = cast("pl.DataType", dtype.inner)
        kind = _kind(inner)
        if kind is _Kind.NOTHING:
            return column.is_null()
        if kind not in _WRITTEN:
            raise self._error(
                condition, f"column '{condition.column}' holds {dtype}, which filters cannot read"
            )
        value = self._value(condition, condition.values[0], kind)
        if isinstance(value, str):
            value = value.strip().lower()
            lower = _lower(pl.element() if is_list else column)
            cells = cells.list.eval(lower) if is_list else _parted(lower, value)
            return cells.list.eval(pl.element().str.strip_chars()).list.contains(pl.lit(value))
        comparable, target = _comparable(pl.element(), inner, [value])
        return cells.list.eval(comparable).list.contains(pl.lit(value, dtype=target))

    def _check_operator(self, condition: Condition, kind: _Kind) -> None:
        asked = condition.operator
        if asked in _OPERATORS[kind]:
            return
        allowed = [str(other) for other in Operator if other in _OPERATORS[kind]]
        raise self._error(
            condition,
            f"column '{condition.column}' holds {kind}, which '{asked}' does not fit; "
            f"allowed are {', '.join([*allowed, Operator.MISSING, Operator.PRESENT])}",
        )

    def _value(self, condition: Condition, literal: Literal, kind: _Kind) -> _Value:
        """Give the value as the column's kind needs it, or refuse it."""
        value = literal.value
        if kind is _Kind.DATE and isinstance(value, str) and _DATE.fullmatch(value):
            with contextlib.suppress(ValueError):
                return dt.date.fromisoformat(value)
        elif kind is _KIND_OF_VALUE[type(value)]:
            return value
        raise pointed_error(
            self.text,
            literal.position,
            f"column '{condition.column}' holds {kind}, which {value!r} cannot be compared with; "
            f"write {_WRITTEN[kind]}",
        )

    def _error(self, condition: Condition, message: str) -> FilterError:
        return pointed_error(self.text, condition.position, message)


def _kind(dtype: pl.DataType) -> _Kind:
    if dtype.is_numeric():
        return _Kind.NUMBER
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return _Kind.TEXT
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _Kind.DATE
    if isinstance(dtype, pl.List | pl.Array):
        return _Kind.LIST
    if isinstance(dtype, pl.Boolean):
        return _Kind.TRUTH
    return _Kind.NOTHING if isinstance(dtype, pl.Null) else _Kind.OTHER


def _comparable(
    cells: pl.Expr, dtype: pl.DataType, values: Sequence[_Value]
) -> tuple[pl.Expr, pl.DataType]:
    """Bring cells to the type in which they compare with the values without loss."""
    target: pl.DataType = pl.Float64()
    if isinstance(dtype, pl.Datetime):
        in_utc = cells.dt.convert_time_zone("UTC") if dtype.time_zone else cells
        return in_utc.dt.date(), pl.Date()
    if not dtype.is_numeric():
        target = pl.String() if _kind(dtype) is _Kind.TEXT else dtype
    elif dtype.is_integer() and all(isinstance(value, int) for value in values):
        target = pl.Int128()
    elif isinstance(dtype, pl.Float32):
        target = dtype  # so that 0.1 equals the 0.1 that was stored
    return cells.cast(target), target


def _lower(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.String).str.to_lowercase()


def _parted(text: pl.Expr, value: str) -> pl.Expr:
    *others, last = LIST_SEPARATORS
    separator = pl.lit(last)
    for other in reversed(others):
        found = text.str.contains(other, literal=True)
        separator = pl.when(found).then(pl.lit(other)).otherwise(separator)
    # Most cells do not hold the value anywhere: only the others are worth parting.
    return pl.when(text.str.contains(value, literal=True)).then(text).str.split(separator)
