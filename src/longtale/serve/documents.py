"""Items as documents: free JSON attributes from outside, rows of the catalogue inside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from longtale.arrays import microseconds
from longtale.data.catalog import Catalog
from longtale.data.record import Body
from longtale.recommend.answer import Json
from longtale.recommend.present import plain
from longtale.schema import LIST_SEPARATORS, Column

AVAILABILITY: Mapping[str, pl.DataType] = {
    Column.HIDDEN: pl.Boolean(),
    Column.AVAILABLE_FROM: pl.Datetime("us"),
    Column.AVAILABLE_UNTIL: pl.Datetime("us"),
}
"""Columns that say when an item can be shown; a service has them whatever the data had."""


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
    """Give the catalogue with the columns of availability."""
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in AVAILABILITY.items()
        if name not in catalog.frame.columns
    ]
    if not missing:
        return catalog
    if not catalog.frame.columns:
        frame = pl.select(pl.repeat(None, len(catalog), dtype=pl.Boolean).alias(Column.HIDDEN))
        return with_availability(Catalog(catalog.items, frame, catalog.text_fields))
    frame = catalog.frame.with_columns(missing)
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
    row: dict[str, object] = {}
    for name, dtype in catalog.frame.schema.items():
        value = body.get(name)
        row[name] = None if value is None else _cell(name, value, dtype)
    return row


def frame_of(
    catalog: Catalog, documents: Iterable[tuple[str, Body]], *, ids: str = "item_id"
) -> pl.DataFrame:
    """Give one row per document, with the id in a column of its own."""
    pairs = list(documents)
    rows = [cells(catalog, body) for _, body in pairs]
    frame = pl.DataFrame(rows, schema=catalog.frame.schema)
    return frame.with_columns(pl.Series(ids, [item for item, _ in pairs], dtype=pl.String))


def document(catalog: Catalog, row: int) -> dict[str, Json]:
    """Give an item of the catalogue as a document; what is missing is left out."""
    values = catalog.frame.row(row, named=True) if catalog.frame.columns else {}
    return {name: plain(value) for name, value in values.items() if value is not None}


def can_be_shown(body: Body | None, at: int) -> bool:
    """Say whether a document allows that its item is shown at a time, microseconds UTC."""
    if body is None or body.get(Column.HIDDEN):
        return False
    begins, ends = body.get(Column.AVAILABLE_FROM), body.get(Column.AVAILABLE_UNTIL)
    starts = begins is None or microseconds(_moment(Column.AVAILABLE_FROM, begins)) <= at
    return starts and (ends is None or microseconds(_moment(Column.AVAILABLE_UNTIL, ends)) > at)


def _cell(name: str, value: Any, dtype: pl.DataType) -> object:
    if isinstance(dtype, pl.Datetime):
        return _moment(name, value).replace(tzinfo=None)
    if dtype == pl.String:
        return _words(name, value)
    if dtype == pl.Boolean:
        if isinstance(value, bool):
            return value
        raise DocumentError(name, f"'{name}' is {value!r}; it must be true or false")
    if dtype.is_numeric():
        return _number(name, value, dtype)
    if isinstance(dtype, pl.List) and isinstance(value, list):
        return value
    raise DocumentError(name, f"'{name}' is {value!r}; the catalogue holds {dtype} there")


def _words(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return LIST_SEPARATORS[0].join(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise DocumentError(name, f"'{name}' is {value!r}; it must be text or a list of texts")


def _number(name: str, value: Any, dtype: pl.DataType) -> float | int:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and not math.isfinite(value)):
        raise DocumentError(name, f"'{name}' is {value!r}; it must be a number")
    if dtype.is_integer():
        allowed = np.iinfo(str(dtype).lower())
        if value != int(value) or not allowed.min <= value <= allowed.max:
            raise DocumentError(
                name,
                f"'{name}' is {value!r}; it must be a whole number from {allowed.min} to "
                f"{allowed.max}",
            )
        return int(value)
    return float(value)


def _moment(name: str, value: Any) -> datetime:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None:
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    raise DocumentError(
        name, f"'{name}' is {value!r}; it must be a time such as '2026-03-01T09:00:00Z'"
    )
