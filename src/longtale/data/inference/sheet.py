"""A table that was found and not yet understood: what its columns look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import polars as pl

from longtale.arrays import DAY
from longtale.data.inference import column_words as words
from longtale.data.inference.column_words import named, stemmed
from longtale.data.inference.render import Finding
from longtale.data.intake.cells import id_cell, micros
from longtale.data.intake.sql import samples_of
from longtale.data.intake.table import SURPLUS, Table
from longtale.data.intake.tabular import SUFFIXES, scan_files, suffix_of
from longtale.errors import ColumnError, DataError, SourceError

SAMPLE_ROWS = 2_000
_PROSE_WORDS = 4
_YEAR_1990 = 7_305 * DAY
_YEAR_2100 = 47_482 * DAY


class Origin(TypedDict, total=False):
    """What the settings of a table say about where it is."""

    source: str
    table: str


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table and what can be told from its column names and first rows."""

    name: str
    source: Origin
    table: Table

    @property
    def columns(self) -> list[str]:
        """The user's columns."""
        return self.table.columns

    @cached_property
    def sample(self) -> pl.DataFrame:
        """The first rows."""
        return self.table.collected(self.table.frame.head(SAMPLE_ROWS))

    @cached_property
    def n_rows(self) -> int:
        """Rows of the table, of a database those of the sample."""
        return int(self.table.collected(self.table.frame.select(pl.len())).item())

    @cached_property
    def user(self) -> str | None:
        """The column that looks most like a user's id."""
        return next(iter(self._ids(words.USER, words.USER_STEMS)), None)

    @cached_property
    def item(self) -> str | None:
        """The column that looks most like an item's id."""
        found = self._ids(words.ITEM, words.ITEM_STEMS)
        return next((column for column in found if column != self.user), None)

    def is_log(self) -> bool:
        """Whether it says who met what."""
        return self.user is not None and self.item is not None

    def is_tags(self) -> bool:
        """Whether it says which words were given to what, and nothing else happened."""
        is_rated = self.one((*words.VALUE[:7], *words.KIND)) is not None
        return self.item is not None and self.one(words.TAG) is not None and not is_rated

    def is_shown(self) -> bool:
        """Whether it says what stood in which slate, and not what was done."""
        return self.is_log() and self.one(words.SLATE) is not None and not self.one(words.KIND)

    def is_items(self) -> bool:
        """Whether it says what items are called or about."""
        about = (*words.TITLE, *words.DESCRIPTION, *words.CATEGORY)
        return bool(self.item_ids()) and not self.is_log() and self.one(about) is not None

    def lists_items(self) -> bool:
        """Whether it has one row for each item, and perhaps no words."""
        return not self.is_log() and self.item is not None and self.is_unique(self.item)

    def is_users(self) -> bool:
        """Whether it has one row for each user."""
        return bool(self.user_ids()) and self.item is None

    def item_ids(self) -> list[str]:
        """Give the columns that may be the item's id, each value once."""
        found = [*self._ids(words.ITEM, words.ITEM_STEMS), *named(self.columns, ("id",))]
        return [column for column in found if self.is_unique(column)]

    def user_ids(self) -> list[str]:
        """Give the columns that may be the user's id, each value once."""
        is_named = bool(stemmed([self.name], (*words.USER_STEMS, "users", "customers", "people")))
        plain_id = named(self.columns, ("id",)) if is_named else []
        found = [*self._ids(words.USER, words.USER_STEMS), *plain_id]
        return [column for column in found if self.is_unique(column)]

    def one(self, names: Sequence[str]) -> str | None:
        """Give the first column with one of these names."""
        return next(iter(named(self.columns, names)), None)

    def all(self, names: Sequence[str], *, but: Sequence[str | None] = ()) -> tuple[str, ...]:
        """Give all columns with these names that are not taken."""
        return tuple(column for column in named(self.columns, names) if column not in but)

    def time(self, *, but: Sequence[str]) -> str | None:
        """Give the column that holds times, by its name or else by what is in it."""
        by_name = [column for column in self.all(words.TIME) if self._is_time(column)]
        dated = [
            column
            for column in self.columns
            if column not in but
            and (self.table.schema[column].is_temporal() or self.table.schema[column] == pl.String)
            and not self.is_number(column)
            and self._is_time(column)
        ]
        return next(iter([*by_name, *dated]), None)

    def is_number(self, column: str) -> bool:
        """Whether every cell that is not blank is a finite number."""
        cells = self._present(column)
        if cells.is_empty() or not (cells.dtype == pl.String or cells.dtype.is_numeric()):
            return False
        return _share(cells.cast(pl.Float64, strict=False).is_finite()) == 1

    def is_whole(self, column: str) -> bool:
        """Whether every cell that is not blank is a whole number."""
        numbers = self._present(column)
        return self.is_number(column) and bool((numbers.cast(pl.Float64) % 1 == 0).all())

    def is_unique(self, column: str) -> bool:
        """Whether hardly a cell repeats another, as an id's cells do not."""
        cells = self._present(column)
        return len(cells) > 0 and cells.n_unique() >= 0.98 * len(cells)

    def is_prose(self, column: str) -> bool:
        """Whether cells hold several words."""
        cells = self._present(column)
        if cells.dtype != pl.String or cells.is_empty():
            return False
        return _share(cells.str.count_matches(r"\s+") >= _PROSE_WORDS - 1) > 0.5

    def distinct(self, column: str, limit: int) -> list[str]:
        """Give the first distinct texts of the whole column, by name."""
        frame = self.table.frame
        if self.table.can_be_ragged:  # of a line with too many cells nobody knows which is which
            frame = frame.filter(pl.all_horizontal(pl.col(*SURPLUS).is_null()))
        texts = frame.select(pl.col(column).cast(pl.String).str.strip_chars())
        found = self.table.collected(texts.unique().filter(pl.first() != "").head(limit))
        return sorted(found.to_series().to_list())

    def ids(self, column: str) -> pl.Series:
        """Give the distinct ids of the sample as text."""
        cell = id_cell(self.table, column, "id", "item")
        return self.sample.select(cell.value.alias("id"))["id"].drop_nulls().unique()

    def share_known(self, column: str, ids: pl.Series) -> float:
        """Give the share of `ids` that stand somewhere in a column, 0 to 1."""
        cell = id_cell(self.table, column, "id", "item")
        own = self.table.collected(self.table.frame.select(cell.value.alias("id")))["id"]
        return _share(ids.is_in(own.drop_nulls().implode()))

    def _ids(self, names: Sequence[str], stems: Sequence[str]) -> list[str]:
        exact = named(self.columns, names)
        likely = [c for c in stemmed(self.columns, stems) if words.plain(c).endswith("id")]
        return [*exact, *(column for column in likely if column not in exact)]

    def _present(self, column: str) -> pl.Series:
        cells = self.sample[column]
        if cells.dtype == pl.String:
            cells = cells.str.strip_chars()
            cells = cells.filter(cells != "")
        return cells.drop_nulls()

    def _is_time(self, column: str) -> bool:
        try:
            times = self.sample.select(micros(self.table, column, "auto")).to_series()
        except ColumnError:
            return False
        return _share(times.is_between(_YEAR_1990, _YEAR_2100)) > 0.9


def _share(claims: pl.Series) -> float:
    """Give the share of true among all cells; 0 where there is none."""
    return int(claims.sum()) / max(len(claims), 1)


def sheets_in_folder(folder: Path, findings: list[Finding]) -> list[Sheet]:
    """Give every table among the files of a folder; what cannot be read becomes a finding.

    Raises:
        SourceError: no such folder.
    """
    if not folder.is_dir():
        raise SourceError(f"there is no folder '{folder}'; name the one that holds your tables")
    sheets = []
    for file in sorted(folder.iterdir()):
        if file.is_file() and suffix_of(file) in SUFFIXES and suffix_of(file) != ".txt":
            try:
                table = scan_files(file.name.split(".")[0], file.name, folder)
                sheet = Sheet(table.name, {"source": file.name}, table)
                if sheet.n_rows:
                    sheets.append(sheet)
            except DataError as error:
                findings.append(Finding("data", str(error)))
    return sheets


def sheets_in_database(url: str) -> list[Sheet]:
    """Give every table of a database, its first rows only.

    Raises:
        MissingExtraError: SQLAlchemy or the driver is not installed.
        SourceError: no connection.
    """
    tables = samples_of(url, SAMPLE_ROWS)
    return [Sheet(t.name, {"source": url, "table": t.name}, t) for t in tables if t.columns]
