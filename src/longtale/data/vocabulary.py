"""Ids outside, rows inside: the only place where one becomes the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longtale.arrays import Rows
from longtale.errors import DataError, UnknownIdError, did_you_mean


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Ids (text, unique, any characters) in row order.

    Args:
        ids: String series (N,) without nulls or repetitions.
        noun: what the ids name, `user` or `item`, for messages.
    """

    ids: pl.Series
    noun: str

    def __post_init__(self) -> None:
        if self.ids.null_count() or self.ids.n_unique() != len(self.ids):
            repeated = self.ids.filter(self.ids.is_duplicated()).unique(maintain_order=True)
            raise DataError(
                f"{self.noun} ids must be unique and present; seen more than once: "
                f"{repeated.head(3).to_list()}; keep one row per {self.noun}"
            )

    @classmethod
    def of(cls, ids: Iterable[str], *, noun: str) -> Vocabulary:
        """Build from plain text ids."""
        return cls(pl.Series("id", list(ids), dtype=pl.String), noun)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, one_id: str) -> int:
        """Give the row of one id.

        Raises:
            UnknownIdError: nothing has this id; the message offers the nearest one.
        """
        row = self._row_of.get(one_id)
        if row is None:
            hint = did_you_mean(one_id, self.ids.head(10_000))
            raise UnknownIdError(
                f"unknown {self.noun} '{one_id}'; there are {len(self)} {self.noun}s, "
                f"such as {self.ids.head(3).to_list()}{hint}"
            )
        return row

    def rows(self, ids: Sequence[str] | pl.Series) -> Rows:
        """Give the rows of many ids, int32 (n,); -1 where an id is unknown."""
        asked = ids if isinstance(ids, pl.Series) else pl.Series("id", ids, dtype=pl.String)
        if len(asked) <= 1_000:
            return np.array([self._row_of.get(one_id, -1) for one_id in asked], dtype=np.int32)
        table = pl.DataFrame({"id": self.ids, "row": np.arange(len(self), dtype=np.int32)})
        found = asked.to_frame("id").join(table, on="id", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy().astype(np.int32)

    def ids_of(self, rows: NDArray[np.integer]) -> list[str]:
        """Give the ids of rows; no row may be -1."""
        found: list[str] = self.ids.gather(rows.tolist()).to_list()
        return found

    def extended(self, ids: Sequence[str]) -> Vocabulary:
        """Give a vocabulary in which new ids stand behind the old ones, whose rows stay."""
        new = pl.Series(self.ids.name, ids, dtype=pl.String)
        return Vocabulary(pl.concat([self.ids, new]), self.noun)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the ids in their order."""
        digest = hashlib.sha256()
        digest.update(self.ids.str.len_bytes().to_numpy().tobytes())
        digest.update("".join(self.ids).encode())
        return digest.hexdigest()

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {one_id: row for row, one_id in enumerate(self.ids)}
