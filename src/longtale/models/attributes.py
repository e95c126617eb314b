"""What the catalogue says of an item besides its meaning: values, words, numbers, as sparse rows.

Every column is a block of features. A cell with lists (genres, actors) gives its values, one with
prose (title, plot) its words, each weighted by how rare it is; a number, and the length of a text,
lies between two of a column's knots. The rows of a block have length 1, so that a plot of a
hundred words says no more than one director.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars import selectors
from scipy import sparse

from longtale.arrays import Floats, Mask, offsets_of, segment_rows
from longtale.contracts import State
from longtale.data.catalog import Catalog
from longtale.data.tastes import values_of
from longtale.schema import Column, Role

_WORDS_OF_PROSE = 2.5
"""A column whose values have more words than this on average is prose: names have two."""
_KNOTS = 12
"""Places on a number's range, each with as many items between."""
_LEAST_ITEMS = 2
"""A value that fewer items have tells nothing of others."""
_WORD = re.compile(r"[^\W_]{2,}")
_UNREAD = frozenset({Column.AVAILABLE_FROM, Column.AVAILABLE_UNTIL, Column.HIDDEN})

Hashes = NDArray[np.uint64]
_Column = tuple[str, pl.Series]


@dataclass(frozen=True, eq=False)
class Attributes:
    """The features that a catalogue's columns turned out to have, F in all.

    Names are kept as hashes, so that all of it is numbers.

    Args:
        tokens: uint64 (F,), rising; hash of column and value, word or knot.
        rarities: float32 (F,), log(N / number of items with it), 1 for a knot.
        columns: int64 (F,), number of the column that each feature is of.
        prose: uint64, hashes of the columns that are read word by word.
        numbers: uint64 (M,), hashes of the columns with numbers, lengths of texts among them.
        knots: float32 (M, 12), rising in each row.
    """

    tokens: Hashes
    rarities: Floats
    columns: NDArray[np.int64]
    prose: Hashes
    numbers: Hashes
    knots: Floats

    @classmethod
    def fit(cls, catalog: Catalog) -> Self:
        """Find the columns, and the values that at least two items have."""
        prose = [_hashed(name) for name, cells in _texts(catalog) if _is_prose(cells)]
        numbers, knots = [], []
        for name, values in _numbers(catalog):
            known = values[~np.isnan(values)]
            if len(known) and known.min() < known.max():
                numbers.append(_hashed(name))
                knots.append(np.quantile(known, np.linspace(0, 1, _KNOTS)))
        nothing = np.empty(0, dtype=np.uint64)
        empty = cls(
            nothing,
            np.empty(0, dtype=np.float32),
            np.empty(0, dtype=np.int64),
            np.array(prose, dtype=np.uint64),
            np.array(numbers, dtype=np.uint64),
            np.array(knots, dtype=np.float32).reshape(-1, _KNOTS),
        )
        return empty._with_tokens(catalog)

    def rows(self, catalog: Catalog) -> sparse.csr_array:
        """Give the features of items, float32 (N, F); what was not met when fitted is left out."""
        parts = [self._placed(block, len(catalog)) for block in self._blocks(catalog)]
        total = sparse.csr_array((len(catalog), len(self.tokens)), dtype=np.float32)
        for part in parts:
            total = total + part
        return sparse.csr_array(total, dtype=np.float32)

    def described(self, catalog: Catalog) -> Mask:
        """Say of which items the columns say anything, bool (N,)."""
        told = np.zeros(len(catalog), dtype=np.bool_)
        for cells in _columns(catalog).values():
            told |= cells.is_not_null().to_numpy()
        return told

    def state(self) -> State:
        """Give the arrays."""
        return {f"attributes_{name}": array for name, array in vars(self).items()}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build again from the arrays."""
        return cls(
            np.asarray(state["attributes_tokens"], dtype=np.uint64),
            np.asarray(state["attributes_rarities"], dtype=np.float32),
            np.asarray(state["attributes_columns"], dtype=np.int64),
            np.asarray(state["attributes_prose"], dtype=np.uint64),
            np.asarray(state["attributes_numbers"], dtype=np.uint64),
            np.asarray(state["attributes_knots"], dtype=np.float32),
        )

    def _with_tokens(self, catalog: Catalog) -> Self:
        tokens, rarities, columns = [self.tokens], [self.rarities], [self.columns]
        for number, block in enumerate(self._blocks(catalog)):
            found, n_items = np.unique(block.tokens, return_counts=True)
            kept = n_items >= _LEAST_ITEMS
            rarity = np.log(len(catalog) / n_items[kept])
            tokens.append(found[kept])
            rarities.append(np.ones_like(rarity) if block.is_number else rarity)
            columns.append(np.full(len(rarity), number))
        order = np.argsort(np.concatenate(tokens), kind="stable")
        found = np.concatenate(tokens)[order]
        return replace(
            self,
            tokens=found,
            rarities=np.concatenate(rarities).astype(np.float32)[order],
            columns=np.concatenate(columns)[order],
        )

    def _blocks(self, catalog: Catalog) -> Iterator[_Block]:
        prose = set(self.prose.tolist())
        for name, cells in _texts(catalog):
            yield _tokens_of(name, cells, is_prose=_hashed(name) in prose)
        places = {key: row for row, key in enumerate(self.numbers.tolist())}
        for name, values in _numbers(catalog):
            if (row := places.get(_hashed(name))) is not None:
                yield _between_knots(name, values, self.knots[row])

    def _placed(self, block: _Block, n_items: int) -> sparse.csr_array:
        """Give one block as unit rows, float32 (N, F)."""
        if not len(self.tokens):
            return sparse.csr_array((n_items, 0), dtype=np.float32)
        places = np.minimum(np.searchsorted(self.tokens, block.tokens), len(self.tokens) - 1)
        known = self.tokens[places] == block.tokens
        rows, places = block.rows[known], places[known]
        values = block.shares[known] * self.rarities[places]
        lengths = np.sqrt(np.bincount(rows, values**2, minlength=n_items))
        values = values / np.maximum(lengths[rows], np.finfo(np.float32).tiny)
        placed = (values.astype(np.float32), (rows, places))
        return sparse.csr_array(placed, shape=(n_items, len(self.tokens)))


@dataclass(frozen=True, eq=False)
class _Block:
    """The features of one column: which item has which token, and how much of it, each (n,)."""

    rows: NDArray[np.int64]
    tokens: Hashes
    shares: NDArray[np.floating]
    is_number: bool = False


def _texts(catalog: Catalog) -> Iterator[_Column]:
    for name, cells in _columns(catalog).items():
        if cells.dtype in (pl.String, pl.Boolean, pl.Categorical):
            yield name, cells.cast(pl.String)


def _numbers(catalog: Catalog) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Give the numbers, and how long each text is: a known work has much written about it."""
    for name, cells in _columns(catalog).items():
        if cells.dtype.is_numeric():
            yield name, cells.cast(pl.Float64).to_numpy()
        elif cells.dtype == pl.String:
            yield f"length of {name}", np.log1p(cells.str.len_chars().fill_null(0).to_numpy())


def _columns(catalog: Catalog) -> dict[str, pl.Series]:
    """Leave out what a new item cannot have as others do: users' tags, and dates of being had."""
    tags = {field.name for field in catalog.text_fields if field.role is Role.TAGS}
    read = catalog.frame.select(~selectors.by_name(*(_UNREAD | tags), require_all=False))
    return {cells.name: cells for cells in read}


def _is_prose(cells: pl.Series) -> bool:
    values = [value for cell in cells.drop_nulls() for value in values_of(cell)]
    return bool(values) and float(np.mean([len(v.split()) for v in values])) > _WORDS_OF_PROSE


def _tokens_of(name: str, cells: pl.Series, *, is_prose: bool) -> _Block:
    read = _words if is_prose else values_of
    found = [set() if cell is None else read(cell) for cell in cells]
    counts = np.array([len(tokens) for tokens in found], dtype=np.int64)
    tokens = [_hashed(name, token) for each in found for token in sorted(each)]
    rows = segment_rows(offsets_of(counts))
    return _Block(rows, np.array(tokens, dtype=np.uint64), np.ones(len(tokens)))


def _between_knots(name: str, values: NDArray[np.floating], knots: Floats) -> _Block:
    """Share each number between the knots below and above it."""
    rows = np.flatnonzero(~np.isnan(values))
    knots = np.unique(knots)
    own = np.clip(values[rows], knots[0], knots[-1])
    above = np.clip(np.searchsorted(knots, own, side="right"), 1, len(knots) - 1)
    share = (own - knots[above - 1]) / (knots[above] - knots[above - 1])
    tokens = np.array([_hashed(name, str(k)) for k in range(len(knots))], dtype=np.uint64)
    return _Block(
        np.concatenate([rows, rows]),
        np.concatenate([tokens[above - 1], tokens[above]]),
        np.concatenate([1 - share, share]),
        is_number=True,
    )


def _words(cell: str) -> set[str]:
    return set(_WORD.findall(cell.lower()))


def _hashed(*names: str) -> int:
    told = "\x1f".join(names).encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest())
