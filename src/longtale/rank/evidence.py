"""What is known about each item, as arrays: the same in training and in answering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from longtale.arrays import DAY, Floats, Mask, Rows, Times
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.schema import LIST_SEPARATORS, Column, Role

RECENT_DAYS = (7, 30)
"""Spans whose counts tell what is in demand at the moment."""
NEVER = np.iinfo(np.int64).max
"""When an item that nobody has touched was first seen."""

_GROUPING = (Role.CREATOR, Role.CATEGORY)
_MAX_CODES = 8  # values of one cell that are read; more say little and cost in every answer
_PRIOR = np.float32(10)  # answers about an item that count as much as those about all
_LIST_SHARE = 0.2  # of cells: a comma in fewer is that of `Stanley, Inc.`
_OWN_COLUMNS = (Column.AVAILABLE_FROM, Column.AVAILABLE_UNTIL, Column.HIDDEN)


@dataclass(frozen=True, eq=False)
class ItemEvidence:
    """What is known about N items at one moment.

    Args:
        counts: float32 (N,), interactions of each item.
        vectors: float32 (N, D), unit rows; a zero row has no text.
        groups: by column, such as a brand or genres, int32 (N, M): codes from 0 up, -1 is none.
        numbers: by column, such as a year or a price, float32 (N,), NaN where it is unknown.
        approval: float32 (N,), share of interest among all that was said of an item; None where
            nobody turned anything down.
        recent: float32 (2, N), interactions in the last 7 and 30 days; None without times.
        first_seen: int64 (N,), microseconds UTC of the first interaction, `NEVER` where there was
            none; None without times.
        now: microseconds UTC of the last interaction of all, for requests that say no time.
    """

    counts: Floats
    vectors: Floats
    groups: Mapping[str, Rows]
    numbers: Mapping[str, Floats]
    approval: Floats | None = None
    recent: Floats | None = None
    first_seen: Times | None = None
    now: int = 0

    @classmethod
    def of(cls, dataset: Dataset, vectors: Floats) -> Self:
        """Gather what a dataset says about its items.

        Args:
            dataset: all that may be known, never more: in training, what came before the cut.
            vectors: float32 (N, D), unit rows.
        """
        counts = dataset.item_counts.astype(np.float32)
        groups, numbers = _groups(dataset.catalog), _numbers(dataset.catalog.frame)
        approval = _approval(counts, _counted(dataset.dismissals.items, dataset.n_items))
        times = dataset.interactions.times
        if times is None or not len(times):
            return cls(counts, vectors, groups, numbers, approval)
        items, now = dataset.interactions.items, int(times.max())
        first_seen = np.full(dataset.n_items, NEVER, dtype=np.int64)
        np.minimum.at(first_seen, items, times)
        recent = np.stack(
            [_counted(items[times > now - d * DAY], dataset.n_items) for d in RECENT_DAYS]
        )
        return cls(counts, vectors, groups, numbers, approval, recent, first_seen, now)

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def is_new(self) -> Mask:
        """Say which items nobody has touched, bool (N,)."""
        return np.asarray(self.counts == 0)

    @cached_property
    def has_text(self) -> Mask:
        """Say which items have a vector, bool (N,)."""
        return np.asarray(self.vectors.any(axis=1))

    @cached_property
    def popularity(self) -> Floats:
        """Give log(1 + count) of each item, float32 (N,)."""
        return np.log1p(self.counts)

    @cached_property
    def n_groups(self) -> Mapping[str, int]:
        """Give the number of codes of each column of groups."""
        return {name: int(codes.max(initial=-1)) + 1 for name, codes in self.groups.items()}

    @cached_property
    def spreads(self) -> Mapping[str, np.float32]:
        """Give the deviation of each numeric column over the items; NaN where it has none."""
        known = {name: values[np.isfinite(values)] for name, values in self.numbers.items()}
        spreads = {name: np.float32(v.std()) for name, v in known.items() if len(v)}
        return {n: s if s > 0 else np.float32(np.nan) for n, s in spreads.items()}


def _approval(liked: Floats, disliked: Floats) -> Floats | None:
    """Give the share of likes, drawn towards that of all items as if by ten more answers."""
    if not disliked.any():
        return None
    overall = liked.sum() / (liked.sum() + disliked.sum())
    return (liked + _PRIOR * overall) / (liked + disliked + _PRIOR)


def _counted(items: Rows, n_items: int) -> Floats:
    return np.bincount(items, minlength=n_items).astype(np.float32)


def _groups(catalog: Catalog) -> dict[str, Rows]:
    names = [field.name for field in catalog.text_fields if field.role in _GROUPING]
    found = {name: _codes(catalog.frame[name].cast(pl.String)) for name in names}
    return {name: codes for name, codes in found.items() if (codes >= 0).any()}


def _codes(cells: pl.Series) -> Rows:
    """Number the values of list-like cells, int32 (N, M); a value of one item groups nothing."""
    lists = cells.str.split(_separator(cells))
    table = pl.DataFrame({"row": np.arange(len(cells), dtype=np.int64), "value": lists})
    table = table.explode("value").with_columns(pl.col("value").str.strip_chars())
    table = table.filter(pl.col("value") != "").unique(maintain_order=True)
    table = table.filter(pl.len().over("value") > 1).with_columns(
        code=pl.col("value").rank("dense").cast(pl.Int32) - 1,
        place=pl.int_range(pl.len()).over("row"),
    )
    table = table.filter(pl.col("place") < _MAX_CODES)
    places = table["place"].to_numpy()
    codes = np.full((len(cells), int(places.max(initial=0)) + 1), -1, dtype=np.int32)
    codes[table["row"].to_numpy(), places] = table["code"].to_numpy()
    return codes


def _separator(cells: pl.Series) -> str:
    """Give the sign that parts most cells; one that is in few is part of a name."""

    def share(sign: str) -> float:
        return float(
            cells.str.contains(sign, literal=True).fill_null(value=False).to_numpy().mean()
        )

    sign = max(LIST_SEPARATORS, key=share)
    return sign if share(sign) >= _LIST_SHARE else "\0"


def _numbers(frame: pl.DataFrame) -> dict[str, Floats]:
    """Give the numeric columns; names that end in `id` number things and measure nothing."""
    columns = [
        column
        for column in frame.iter_columns()
        if column.dtype.is_numeric()
        and column.name not in _OWN_COLUMNS
        and not column.name.lower().endswith("id")
    ]
    found = {column.name: _floats(column) for column in columns}
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def _floats(column: pl.Series) -> Floats:
    values = column.cast(pl.Float32).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(values), values, np.float32(np.nan))
