"""The items: ids, attributes, text fields and when each of them can be had."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from polars import selectors

from longtale.arrays import Mask, Times
from longtale.data.filters.filter import Filter
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.errors import ColumnError, DataError
from longtale.schema import Column, Role

TAGS_FIELD = "tags"


@dataclass(frozen=True)
class TextField:
    """A column with words in it, and what these words say."""

    name: str
    role: Role


@dataclass(frozen=True, eq=False)
class Catalog:
    """N items; the catalogue, not the events, defines which items there are.

    Args:
        items: ids in row order.
        frame: attributes of each item, N rows in the same order, without the id column.
        text_fields: which columns are text, and in which role.
    """

    items: Vocabulary
    frame: pl.DataFrame
    text_fields: tuple[TextField, ...] = ()

    def __post_init__(self) -> None:
        if self.frame.columns and len(self.frame) != len(self.items):
            raise DataError(
                f"the catalogue has {len(self.items)} item ids, but {len(self.frame)} rows of "
                "attributes; give one row for each item, in the same order"
            )
        missing = [f.name for f in self.text_fields if f.name not in self.frame.columns]
        if missing:
            raise ColumnError(
                f"text fields {missing} are not columns of the catalogue; "
                f"it has {self.frame.columns}"
            )

    def __len__(self) -> int:
        return len(self.items)

    def texts(self) -> list[tuple[Role, list[str | None]]]:
        """Give each text field as its role and N cells, in the order of `text_fields`."""
        return [
            (field.role, self.frame[field.name].cast(pl.String).to_list())
            for field in self.text_fields
        ]

    def titles(self) -> list[str]:
        """Give a name to show for each item: its title, or its id where it has none."""
        names = [field.name for field in self.text_fields if field.role is Role.TITLE]
        if not names:
            return self.items.ids.to_list()
        titles = self.frame[names[0]].cast(pl.String)
        shown: list[str] = titles.zip_with(titles.is_not_null(), self.items.ids).to_list()
        return shown

    def matching(self, condition: Filter) -> Mask:
        """Say which items meet a filter, bool (N,)."""
        return condition.mask(self.frame)

    def available(self, time: int) -> Mask:
        """Say which items can be shown at a time (microseconds UTC), bool (N,)."""
        shown, begins, ends = self._availability
        can_be = shown if begins is None else shown & (begins <= time)
        return can_be if ends is None else can_be & (ends > time)

    @cached_property
    def _availability(self) -> tuple[Mask, Times | None, Times | None]:
        """Which items are not hidden, from and until when each can be had; None is always."""
        shown = np.ones(len(self), dtype=np.bool_)
        if Column.HIDDEN in self.frame.columns:
            shown = ~self.frame[Column.HIDDEN].fill_null(value=False).to_numpy()
        forever = np.iinfo(np.int64)
        begins = self._moments(Column.AVAILABLE_FROM, missing=forever.min)
        ends = self._moments(Column.AVAILABLE_UNTIL, missing=forever.max)
        return shown, begins, ends

    def _moments(self, name: str, *, missing: int) -> Times | None:
        """Give a column of times as microseconds UTC, int64 (N,); None where no item has one."""
        if name not in self.frame.columns or self.frame[name].null_count() == len(self):
            return None
        utc = _in_utc(pl.col(name), self.frame.schema[name]).cast(pl.Datetime("us"))
        moments = self.frame.select(utc.cast(pl.Int64).fill_null(missing))
        return moments.to_series().to_numpy()

    @property
    def has_availability(self) -> bool:
        """Whether any item can be hidden or out of its time."""
        columns = {Column.HIDDEN, Column.AVAILABLE_FROM, Column.AVAILABLE_UNTIL}
        return not columns.isdisjoint(self.frame.columns)

    def take(self, rows: Sequence[int]) -> Catalog:
        """Give the chosen items, in that order."""
        items = Vocabulary(self.items.ids.gather(list(rows)), self.items.noun)
        return replace(self, items=items, frame=self.frame[list(rows)])

    def extended(self, other: Catalog) -> Catalog:
        """Put new items behind the old ones, whose rows stay; missing attributes become null."""
        items = self.items.extended(other.items.ids.to_list())
        kept = other.frame.select(c for c in other.frame.columns if c in self.frame.columns)
        kept = kept.cast({c: self.frame.schema[c] for c in kept.columns})
        frame = pl.concat([self.frame, kept], how="diagonal")
        return replace(self, items=items, frame=frame)

    def described_anew(self, rows: Sequence[int], frame: pl.DataFrame) -> Catalog:
        """Replace all attributes of some items.

        Args:
            rows: which.
            frame: their attributes in the same order; those it lacks become null.
        """
        schema = self.frame.schema
        kept = frame.select(c for c in frame.columns if c in schema)
        kept = kept.cast({c: schema[c] for c in kept.columns})
        told = pl.concat([self.frame.clear(), kept], how="diagonal")
        place = pl.Series("place", np.arange(len(self), dtype=np.int64))
        place = place.scatter(list(rows), np.arange(len(told)) + len(self))
        return replace(self, frame=pl.concat([self.frame, told])[place])

    def with_tags(self, tags: Tags) -> Catalog:
        """Put users' words into the text field `tags`, in place of what stood there."""
        kept = tuple(field for field in self.text_fields if field.name != TAGS_FIELD)
        return replace(
            self,
            frame=self.frame.with_columns(tags.cells(len(self)).alias(TAGS_FIELD)),
            text_fields=(*kept, TextField(TAGS_FIELD, Role.TAGS)),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, attributes and text roles."""
        told = f"{self.items.fingerprint} {frame_hash(self.frame)} {self.text_fields!r}"
        return hashlib.sha256(told.encode()).hexdigest()


def frame_hash(frame: pl.DataFrame) -> str:
    """Hash the names, types and cells of a table; NaN counts as missing.

    Arrow's own bytes would not do: equal tables differ in chunks and in what lies beneath a null.
    """
    cells = io.BytesIO()
    frame.with_columns(selectors.binary().bin.encode("hex")).write_ndjson(cells)
    return hashlib.sha256(repr(frame.schema).encode() + cells.getvalue()).hexdigest()


def _in_utc(times: pl.Expr, dtype: pl.DataType | None) -> pl.Expr:
    """Bring times with a zone to UTC without one; times without a zone are in UTC."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return times
