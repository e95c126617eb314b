"""Search by words: BM25 over several fields of unequal weight, for a whole catalogue.

    score(q, i) = Σ_t idf_t · f_ti / (k1 + f_ti)
    f_ti = Σ_c w_c · n_tci / (1 - b + b · l_ci / l_c)

over the terms t of the query, with n_tci how often t stands in field c of item i, l_ci the length
of that field in terms, l_c the mean length of field c where it is not empty, w_c its weight, and
idf_t = ln(1 + (N - n_t + ½) / (n_t + ½)) for a term in n_t of N items. Fields are put together
before they saturate (BM25F: Robertson, Zaragoza & Taylor 2004; Zaragoza et al. 2004): a word in
title and description is one word that is told twice, not two. With one field this is the BM25 of
Lucene, as the package `bm25s` has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from longtale.arrays import Floats, Rows, compact, offsets_of, segment_positions, segment_rows
from longtale.data.catalog import Catalog
from longtale.schema import Role
from longtale.search.words import terms_of, words_in
from longtale.settings import Settings

_WORD, _ROW = "word", "row"


class LexicalSettings(Settings):
    """How much a word counts, by where it stands."""

    title: float = Field(default=5.0, ge=0)
    """Weight of a word in the title."""
    creator: float = Field(default=3.0, ge=0)
    """Weight of a word in the creator's name."""
    category: float = Field(default=3.0, ge=0)
    """Weight of a word in the category."""
    tags: float = Field(default=2.0, ge=0)
    """Weight of a word in the tags."""
    description: float = Field(default=1.0, ge=0)
    """Weight of a word in the description."""
    k1: float = Field(default=1.5, gt=0)
    """How slowly repetitions of a word stop to count."""
    b: float = Field(default=0.75, ge=0, le=1)
    """How much long fields are discounted: 0 not at all, 1 in proportion to their length."""

    def weight(self, role: Role) -> float:
        """Give the weight of fields of one role."""
        return float(getattr(self, role.value))


@dataclass(frozen=True, eq=False)
class LexicalIndex:
    """What words stand where in N items.

    Args:
        settings: how they are weighed.
        n_items: N.
        roles: the role of each of C text fields.
        texts: (N, C) as they were read, which tells what changes.
        words: String (W,), all words of the catalogue, in the order in which they came up.
        counts: for each field, float32 (N, W), how often each word stands in it.
    """

    settings: LexicalSettings
    n_items: int
    roles: tuple[Role, ...]
    texts: pl.DataFrame
    words: pl.Series
    counts: tuple[sparse.csr_array, ...]

    @classmethod
    def of(cls, catalog: Catalog, settings: LexicalSettings | None = None) -> Self:
        """Read the texts of a catalogue."""
        texts = catalog.frame.select(field.name for field in catalog.text_fields).clear()
        empty = cls(
            LexicalSettings() if settings is None else settings,
            0,
            tuple(field.role for field in catalog.text_fields),
            texts.cast(pl.String),
            pl.Series(_WORD, [], dtype=pl.String),
            tuple(sparse.csr_array((0, 0), dtype=np.float32) for _ in texts.columns),
        )
        return empty.knowing(catalog)

    def knowing(self, catalog: Catalog) -> Self:
        """Give the index of another state of the catalogue; only texts that differ are read.

        Args:
            catalog: with the same text fields; items stand in their rows, new ones behind them.
        """
        names = [field.name for field in catalog.text_fields]
        roles = tuple(field.role for field in catalog.text_fields)
        if names != self.texts.columns or roles != self.roles:
            return type(self).of(catalog, self.settings)
        texts = catalog.frame.select(pl.col(name).cast(pl.String) for name in names)
        stale = _differing(self.texts, texts)
        words, fresh = _counted(texts[stale], self.words)
        source = np.arange(len(texts))
        source[stale] = len(self.texts) + np.arange(len(stale))
        counts = tuple(
            compact(sparse.vstack([_widened(old, len(words)), new], format="csr")[source])
            for old, new in zip(self.counts, fresh, strict=True)
        )
        return replace(self, n_items=len(catalog), texts=texts, words=words, counts=counts)

    def scores(self, text: str) -> Floats:
        """Give BM25 of each item for a text, float32 (N,); 0 where no word of it stands."""
        terms = np.array([*self._known(text)], dtype=np.int64)
        places = segment_positions(self._impacts.indptr.astype(np.int64), terms)
        items, impacts = self._impacts.indices[places], self._impacts.data[places]
        return np.bincount(items, impacts, minlength=self.n_items).astype(np.float32)

    def matched(self, text: str, items: Rows) -> list[tuple[str, ...]]:
        """Give, for each of K items, those words of a text that stand in it, as they were asked."""
        terms = self._known(text)
        stands = self._impacts[list(terms)][:, items].toarray() > 0  # (T, K)
        asked = np.array([*terms.values()], dtype=object)
        return [tuple(asked[column]) for column in stands.T]

    def knows(self, words: Sequence[str]) -> list[bool]:
        """Say of each word whether all of its terms stand in some item."""
        return [
            all(term in self._rows and len(self._holders(self._rows[term])) for term, _ in terms)
            for terms in terms_of(words)
        ]

    def holding(self, words: Sequence[str]) -> list[Rows]:
        """Give, for each word that is known, the items in which all of its terms stand."""
        return [
            reduce(np.intersect1d, [self._holders(self._rows[term]) for term, _ in terms])
            for terms in terms_of(words)
        ]

    @cached_property
    def frequencies(self) -> NDArray[np.int64]:
        """In how many texts each word stands, (W,)."""
        each = [np.bincount(part.indices, minlength=len(self.words)) for part in self.counts]
        return np.sum(each, axis=0, dtype=np.int64, initial=0) if each else np.zeros(0, np.int64)

    def _holders(self, row: int) -> Rows:
        start, end = self._impacts.indptr[row : row + 2]
        return self._impacts.indices[start:end]

    def _known(self, text: str) -> Mapping[int, str]:
        """Give the rows of a text's terms, each once, with what was asked for."""
        words = dict.fromkeys(words_in(pl.Series([text]))[0])
        parts = [part for terms in terms_of(list(words)) for part in terms]
        return {self._rows[term]: asked for term, asked in parts if term in self._rows}

    @cached_property
    def _rows(self) -> dict[str, int]:
        return self._terms[0]

    @cached_property
    def _terms(self) -> tuple[dict[str, int], sparse.csr_array]:
        """The row of each of V terms, and how often each stands in each word, float32 (W, V)."""
        parts = [[term for term, _ in terms] for terms in terms_of(self.words.to_list())]
        rows: dict[str, int] = {}
        columns = [rows.setdefault(term, len(rows)) for terms in parts for term in terms]
        offsets = offsets_of(np.array([len(terms) for terms in parts], dtype=np.int64))
        ones = np.ones(len(columns), dtype=np.float32)
        made_of = sparse.csr_array((ones, columns, offsets), shape=(len(parts), len(rows)))
        made_of.sum_duplicates()
        return rows, compact(made_of)

    @cached_property
    def _impacts(self) -> sparse.csr_array:
        """What each term adds to the score of each item, float32 (V, N)."""
        rows, made_of = self._terms
        fields = [
            _normed(counts @ made_of, self.settings.weight(role), self.settings.b)
            for role, counts in zip(self.roles, self.counts, strict=True)
        ]
        empty = sparse.csr_array((self.n_items, len(rows)), dtype=np.float32)
        total = compact(reduce(lambda one, other: one + other, fields, empty))
        total.eliminate_zeros()
        n_items = np.bincount(total.indices, minlength=len(rows))
        idf = np.log1p((self.n_items - n_items + 0.5) / (n_items + 0.5)).astype(np.float32)
        total.data *= idf[total.indices] / (np.float32(self.settings.k1) + total.data)
        return compact(total.T.tocsr())


def _normed(counts: sparse.csr_array, weight: float, b: float) -> sparse.csr_array:
    """Weigh a field's counts (N, V), and discount those of long texts."""
    lengths = counts.sum(axis=1)
    mean = lengths[lengths > 0].mean() if lengths.any() else 1.0
    factors = (weight / (1 - b + b * lengths / mean)).astype(np.float32)
    counts.data = counts.data * factors[segment_rows(counts.indptr)]
    return counts


def _differing(old: pl.DataFrame, new: pl.DataFrame) -> NDArray[np.int64]:
    """Give the rows of `new` that are not as they stand in `old`, or not there."""
    n_both = min(len(old), len(new))
    differs = np.ones(len(new), dtype=np.bool_)
    differs[:n_both] = np.any(
        [old[name][:n_both].ne_missing(new[name][:n_both]).to_numpy() for name in new.columns],
        axis=0,
    )
    return np.flatnonzero(differs)


def _counted(
    texts: pl.DataFrame, known: pl.Series
) -> tuple[pl.Series, tuple[sparse.csr_array, ...]]:
    """Count the words of n texts in C fields.

    Returns:
        the known words and the new ones behind them, and for each field float32 (n, W).
    """
    fields = [words_in(texts[name]) for name in texts.columns]
    flat = [field.explode(empty_as_null=False).rename(_WORD) for field in fields]
    different = [words.unique(maintain_order=True) for words in flat]
    met = pl.concat([known.rename(_WORD), *different]).unique(maintain_order=True)
    rows = met.to_frame().with_row_index(_ROW)
    counts = []
    for words, field in zip(flat, fields, strict=True):
        codes = words.to_frame().join(rows, on=_WORD, how="left", maintain_order="left")[_ROW]
        ones = np.ones(len(codes), dtype=np.float32)
        offsets = offsets_of(field.list.len().to_numpy())
        matrix = sparse.csr_array((ones, codes.to_numpy(), offsets), shape=(len(texts), len(met)))
        matrix.sum_duplicates()
        counts.append(compact(matrix))
    return met, tuple(counts)


def _widened(counts: sparse.csr_array, n_words: int) -> sparse.csr_array:
    return sparse.csr_array(
        (counts.data, counts.indices, counts.indptr), shape=(counts.shape[0], n_words)
    )
