"""Items as documents: free JSON attributes from outside, rows of the catalogue inside."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from longtale import log
from longtale.arrays import microseconds
from longtale.data.catalog import Catalog
from longtale.data.record import Body
from longtale.errors import DataError
from longtale.recommend.answer import Json
from longtale.recommend.present import plain
from longtale.schema import LIST_SEPARATORS, Column

AVAILABILITY: Mapping[str, pl.DataType] = {
    Column.HIDDEN: pl.Boolean(),
    Column.AVAILABLE_FROM: pl.Datetime("us"),
    Column.AVAILABLE_UNTIL: pl.Datetime("us"),
}
"""Columns that say when an item can be shown; a service has them whatever the data had."""
DEEPEST = 32
"""How deep attributes may be nested: what is deeper cannot be kept in every store."""
_YEARS_OF_NANOSECONDS = range(1678, 2262)


class DocumentError(ValueError):
    """An attribute cannot be taken as it is.

    Args:
        name: which.
        detail: what is wrong, the value seen, what is allowed.
    """

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name


@dataclass(frozen=True)
class Indexed:
    """What of a document is used: for words, for filters, and what is only kept."""

    text: tuple[str, ...]
    attributes: tuple[str, ...]
    only_kept: tuple[str, ...]

    def as_dict(self) -> dict[str, Json]:
        """Give it as plain values."""
        return {
            "text": list(self.text),
            "attributes": list(self.attributes),
            "only_kept": list(self.only_kept),
        }


def with_availability(catalog: Catalog) -> Catalog:
    """Give the catalogue with the columns of availability, whatever columns it has.

    Raises:
        DataError: a column is called so and holds something else.
    """
    schema = catalog.frame.schema
    lacking = [n for n in AVAILABILITY if isinstance(schema.get(n, pl.Null()), pl.Null)]
    for name in AVAILABILITY.keys() - set(lacking):
        if not isinstance(schema[name], type(AVAILABILITY[name])):
            raise DataError(
                f"the catalogue's column '{name}' holds {schema[name]}, and says when an item can "
                f"be shown; name it in the settings, data.items.{name} = '{name}', and train again"
            )
    if not lacking:
        return catalog
    empty = {name: pl.Series(name, [None] * len(catalog), AVAILABILITY[name]) for name in lacking}
    frame = catalog.frame.with_columns(**empty) if schema else pl.DataFrame(empty)
    return Catalog(catalog.items, frame, catalog.text_fields)


def indexed(catalog: Catalog, body: Body) -> Indexed:
    """Say what of a document the catalogue has columns for."""
    texts = {field.name for field in catalog.text_fields}
    known = set(catalog.frame.columns)
    names = sorted(body)
    return Indexed(
        tuple(n for n in names if n in texts),
        tuple(n for n in names if n in known - texts),
        tuple(n for n in names if n not in known),
    )


def cells(catalog: Catalog, body: Body) -> dict[str, object]:
    """Turn a document into a row of the catalogue; what it has no column for stays behind.

    Raises:
        DocumentError: a value does not fit the type of its column.
    """
    return {
        name: _cell(name, body.get(name), dtype) for name, dtype in catalog.frame.schema.items()
    }


def frame_of(
    catalog: Catalog, documents: Iterable[tuple[str, Body]], *, ids: str = "item_id"
) -> pl.DataFrame:
    """Give one row per document, with the id in a column of its own.

    What does not fit its column stays behind: a document may have come while another bundle, with
    other columns, answered.
    """
    pairs = list(documents)
    rows = [_fitting(catalog, body) for _, body in pairs]
    frame = pl.DataFrame(rows, schema=catalog.frame.schema)
    return frame.with_columns(pl.Series(ids, [item for item, _ in pairs], dtype=pl.String))


def document(catalog: Catalog, row: int) -> dict[str, Json]:
    """Give an item of the catalogue as a document; what is missing is left out."""
    values = catalog.frame.row(row, named=True) if catalog.frame.columns else {}
    return {name: plain(value) for name, value in values.items() if value is not None}


def is_too_deep(value: object, deepest: int = DEEPEST) -> bool:
    """Say whether plain values are nested too deep to be kept.

    Example:
        >>> is_too_deep([[1]], deepest=1), is_too_deep({"a": [1]}, deepest=2)
        (True, False)
    """
    level = [value]
    for _ in range(deepest + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def merged(before: object, changes: object) -> object:
    """Give values after changes (RFC 7396): null takes away, objects are merged, all else replaces.

    Example:
        >>> merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}, "d": [4]})
        {'a': {'c': 2}, 'd': [4]}
    """
    if not isinstance(changes, Mapping):
        return changes
    told = dict(before) if isinstance(before, Mapping) else {}
    for name, change in changes.items():
        if change is None:
            told.pop(name, None)
        else:
            told[name] = merged(told.get(name), change)
    return told


def can_be_shown(body: Body | None, at: int) -> bool:
    """Say whether a document allows that its item is shown at a time, microseconds UTC."""
    if body is None or body.get(Column.HIDDEN):
        return False
    begins, ends = body.get(Column.AVAILABLE_FROM), body.get(Column.AVAILABLE_UNTIL)
    starts = begins is None or microseconds(_moment(Column.AVAILABLE_FROM, begins)) <= at
    return starts and (ends is None or microseconds(_moment(Column.AVAILABLE_UNTIL, ends)) > at)


def _inside(value: object) -> Iterable[object]:
    """Give what stands in an object or a list; none of it in anything else."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _fitting(catalog: Catalog, body: Body) -> dict[str, object]:
    try:
        return cells(catalog, body)
    except DocumentError as error:
        log.warn("an attribute does not fit its column", column=error.name)
        return _fitting(catalog, {name: v for name, v in body.items() if name != error.name})


def _cell(name: str, value: Any, dtype: pl.DataType) -> object:
    if value is None:
        return None
    if isinstance(dtype, pl.Datetime):
        return _moment_in(name, value, dtype)
    if dtype == pl.Date:
        return _day(name, value)
    if dtype == pl.String:
        return _words(name, value)
    if dtype == pl.Boolean and isinstance(value, bool):
        return value
    if dtype.is_numeric():
        return _number(name, value, dtype)
    if isinstance(dtype, pl.List) and isinstance(value, list):
        return [_cell(name, part, _inner(dtype)) for part in value]
    allowed = "true or false" if dtype == pl.Boolean else f"of the catalogue's type, {dtype}"
    raise DocumentError(name, f"'{name}' is {value!r:.80}; it must be {allowed}")


def _inner(dtype: pl.List) -> pl.DataType:
    inner = dtype.inner
    return inner if isinstance(inner, pl.DataType) else inner()


def _words(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return LIST_SEPARATORS[0].join(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise DocumentError(name, f"'{name}' is {value!r:.80}; it must be text or a list of texts")


def _number(name: str, value: Any, dtype: pl.DataType) -> float | int:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise DocumentError(name, f"'{name}' is {value!r:.80}; it must be a number")
    if dtype.is_integer():
        allowed = np.iinfo(str(dtype).lower())
        if value != int(value) or not allowed.min <= value <= allowed.max:
            raise DocumentError(
                name,
                f"'{name}' is {value!r}; it must be a whole number from {allowed.min} to "
                f"{allowed.max}",
            )
        return int(value)
    most = float(np.finfo(np.float32 if dtype == pl.Float32 else np.float64).max)
    if abs(value) > most:
        raise DocumentError(name, f"'{name}' is {value!r}; it must lie within ±{most:.3g}")
    return float(value)


def _moment(name: str, value: Any) -> datetime:
    if isinstance(value, str):
        with contextlib.suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    raise DocumentError(
        name, f"'{name}' is {value!r:.80}; it must be a time such as '2026-03-01T09:00:00Z'"
    )


def _moment_in(name: str, value: Any, dtype: pl.Datetime) -> datetime:
    moment = _moment(name, value)
    if dtype.time_unit == "ns" and moment.year not in _YEARS_OF_NANOSECONDS:
        raise DocumentError(
            name,
            f"'{name}' is {value!r}; the catalogue holds nanoseconds there, which reach from "
            f"{_YEARS_OF_NANOSECONDS[0]} to {_YEARS_OF_NANOSECONDS[-1]}",
        )
    return moment.replace(tzinfo=None)


def _day(name: str, value: Any) -> date:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value)
    raise DocumentError(name, f"'{name}' is {value!r:.80}; it must be a day such as '2026-03-01'")
