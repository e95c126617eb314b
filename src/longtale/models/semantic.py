"""Meaning: items near in meaning to the history and to the asker's own words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from longtale.arrays import Floats, Mask, Rows, largest, offsets_of, segment_rows, unit_rows
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.index import CoarseProduct
from longtale.schema import Serves
from longtale.settings import Settings

_IMAGINED = 5
"""How many items that suit the words stand in for a missing history."""


class SemanticSettings(Settings):
    """How a history and words become one score for each item."""

    n_last: int = Field(default=3, ge=1)
    """How many of the last events with text are attended to."""
    temperature: float = Field(default=0.5, gt=0)
    """Attention's temperature: small attends to the nearest item of the history only, large to all
    alike."""
    half_life: float = Field(default=2.0, gt=0)
    """How many events later an event in the history gets half the attention."""
    profile_length: float = Field(default=20.0, gt=0)
    """Length of a history whose mean says as much as attention to its last events."""
    kappa: float = Field(default=3.0, ge=0)
    """Length of a history that counts as much as the asker's own words."""


@dataclass(frozen=True, eq=False)
class SemanticRetriever:
    """Scores β [(1 - γ) Σ_j a_j(i) e_i·e_j + γ e_i·p] + (1 - β) e_i·t.

    Attention a_j(i) = softmax_j(e_i·e_j / τ - λ·age_j) over the last items j of the history meets
    each candidate with the side of the taste that is nearest to it (Zhou et al. 2018,
    arXiv:1706.06978); λ = ln 2 / half-life, ages in events. p is the mean of the whole history,
    scaled to length 1, with γ = n / (n + profile_length) for n items: it tells what lasts, and
    costs no more for a long history. t are the asker's words, with β = n / (n + κ); β is 1 where
    there are no words, and 0 where there is no history.

    Nothing is learned from behaviour, so that a new item needs only its vector.

    Args:
        settings: what it was fitted with.
        columns: float32 (D, N), the items' unit vectors as columns, since products with these
            take half the time of those with rows; a zero column has no text.
    """

    name: ClassVar[str] = "semantic"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: SemanticSettings
    columns: Floats

    @classmethod
    def fit(cls, dataset: Dataset, settings: SemanticSettings, vectors: Floats) -> Self:
        """Take the vectors of all items.

        Raises:
            DataError: there is not one vector for each item.
        """
        if len(vectors) != dataset.n_items:
            raise DataError(
                f"{len(vectors)} vectors for {dataset.n_items} items; give one for each item of "
                "the catalogue, a zero row where there is no text"
            )
        return cls(settings, np.ascontiguousarray(vectors.T, dtype=np.float32))

    def with_vectors(self, vectors: Floats) -> Self:
        """Answer for another catalogue, float32 (N', D): new items can be found at once."""
        return replace(self, columns=np.ascontiguousarray(vectors.T, dtype=np.float32))

    def scores(self, queries: Queries) -> Floats:
        scores = np.full((len(queries), self.columns.shape[1]), np.nan, dtype=np.float32)
        for row, found in enumerate(scores):
            directions = self._directions(queries.take(np.array([row])))
            if directions is not None:
                found[:] = directions.scores(self.settings, self._similar(directions.vectors))
        scores[:, ~self._has_text] = np.nan
        return scores

    @property
    def n_items(self) -> int:
        """N."""
        return self.columns.shape[1]

    def scores_at(self, queries: Queries, items: Rows) -> Floats:
        rows = self._rows[items]  # (C, D)
        asked = np.flatnonzero(self._has_text[items])
        scores = np.full((len(queries), len(items)), np.nan, dtype=np.float32)
        for row, found in enumerate(scores):
            directions = self._directions(queries.take(np.array([row])))
            if directions is not None:
                # A third quicker than the product the other way round, for a handful of vectors.
                similar = np.ascontiguousarray((rows @ directions.vectors.T).T)  # (T + 1, C)
                found[asked] = directions.scores(self.settings, similar)[asked]
        return scores

    def nearest(self, queries: Queries, k: int, *, exclude: Mask) -> Rows:
        """Give some items that are likely to have the best scores, int32 (<= k,), in any order.

        They are those nearest to what each request is about as a whole: to the mean of the history
        and its last items, or to the words.

        Args:
            queries: B requests; what suits any of them is given.
            k: how many for each.
            exclude: bool (B, N).
        """
        found = [np.empty(0, dtype=np.int64)]
        for row in range(len(queries)):
            directions = self._directions(queries.take(np.array([row])))
            if directions is not None:
                near = self._coarse(directions.summary[None])[0]
                near[exclude[row] | ~self._has_text] = -np.inf
                found.append(largest(near, k))
        return np.unique(np.concatenate(found)).astype(np.int32)

    @cached_property
    def _rows(self) -> Floats:
        """The items' vectors as rows, float32 (N, D): a few of them are read in one piece."""
        return np.ascontiguousarray(self.columns.T)

    @cached_property
    def _coarse(self) -> CoarseProduct:
        return CoarseProduct.of(self._rows)

    def direction(self, query: Queries, item: int) -> Floats | None:
        """Give what an item is compared with: its product with the item's vector is the score.

        Args:
            query: one request.
            item: row of the item, whose side of the history counts.

        Returns:
            float32 (D,); None where the request says nothing.
        """
        directions = self._directions(query)
        if directions is None:
            return None
        return directions.towards(self.settings, self._rows[item])

    def imagined(self, queries: Queries) -> Queries:
        """Let the items nearest to the words stand in for a missing history, the nearest last."""
        if queries.text_vectors is None:
            return queries
        told = queries.text_vectors.any(axis=1) & (queries.histories.lengths == 0)
        if not told.any():
            return queries
        near = queries.text_vectors[told] @ self.columns[:, self._has_text]
        best = np.argsort(near, axis=1, kind="stable")[:, -_IMAGINED:]
        items = np.flatnonzero(self._has_text)[best].ravel().astype(np.int32)
        chosen = Histories(
            offsets_of(told * best.shape[1]), items, np.ones(len(items), dtype=np.float32)
        )
        if queries.histories.times is not None:
            now = queries.histories.times.max(initial=0) if queries.times is None else queries.times
            chosen = replace(
                chosen, times=np.broadcast_to(now, told.shape)[segment_rows(chosen.offsets)]
            )
        return replace(queries, histories=queries.histories.followed_by(chosen))

    @cached_property
    def _has_text(self) -> Mask:
        return np.any(self.columns, axis=0)

    def _with_text(self, history: Rows) -> Rows:
        inside = history[history < self.columns.shape[1]]
        return inside[self._has_text[inside]]

    def _directions(self, query: Queries) -> _Directions | None:
        """Give what one request is compared with; None where it says nothing."""
        history = self._with_text(query.histories.items)
        words = None if query.text_vectors is None else query.text_vectors[0]
        if words is not None and not words.any():
            words = None
        if not len(history):
            return None if words is None else _Directions(words[None], 0.0)
        n = len(history)
        beta = 1.0 if words is None else n / (n + self.settings.kappa)
        gamma = n / (n + self.settings.profile_length)
        chosen = self._rows[history]  # (T, D)
        profile = unit_rows(chosen.mean(axis=0)[None])[0]
        direction = np.float32(beta * gamma) * profile
        if words is not None:
            direction += np.float32(1 - beta) * words
        recent = chosen[-self.settings.n_last :]
        return _Directions(np.vstack([recent, direction]), beta * (1 - gamma))

    def _similar(self, vectors: Floats) -> Floats:
        """Give the products of T vectors with all items, float32 (T, N).

        One by one: for a handful of rows BLAS's matrix product takes half as long again.
        """
        similar = np.empty((len(vectors), self.columns.shape[1]), dtype=np.float32)
        for vector, products in zip(vectors, similar, strict=True):
            np.dot(vector, self.columns, out=products)
        return similar

    def evidence(self, history: Rows, items: Rows) -> Floats:
        return self.columns[:, history].T @ self.columns[:, items]

    def state(self) -> State:
        return {"columns": self.columns}

    @classmethod
    def restore(cls, settings: SemanticSettings, state: State) -> Self:
        return cls(settings, np.asarray(state["columns"]))


@dataclass(frozen=True, eq=False)
class _Directions:
    """What one request is compared with.

    Args:
        vectors: float32 (T + 1, D): the last T items of the history, oldest first, and what is
            added to attention over these: profile and words, weighted.
        attention: weight of attention, β (1 - γ).
    """

    vectors: Floats
    attention: float

    @property
    def summary(self) -> Floats:
        """All in one vector, as if attention were the same to all, float32 (D,)."""
        recent = self.vectors[:-1]
        if not len(recent):
            return self.vectors[-1]
        return self.vectors[-1] + np.float32(self.attention) * recent.mean(axis=0)

    def scores(self, settings: SemanticSettings, similar: Floats) -> Floats:
        """Give the scores, float32 (N,), from the products with N items, float32 (T + 1, N)."""
        if not self.attention:
            return similar[-1]
        return similar[-1] + np.float32(self.attention) * _attended(similar[:-1], settings)

    def towards(self, settings: SemanticSettings, vector: Floats) -> Floats:
        """Give all in one vector, with the attention of one item's vector, float32 (D,)."""
        recent = self.vectors[:-1]
        if not self.attention:
            return self.vectors[-1]
        attention = _attention((recent @ vector)[:, None], settings)[:, 0]
        attended: Floats = attention @ recent / attention.sum()
        return self.vectors[-1] + np.float32(self.attention) * attended


def _attended(similar: Floats, settings: SemanticSettings) -> Floats:
    """Give Σ_j a_j(i) e_i·e_j for every item i, float32 (N,), from e_i·e_j, (T, N)."""
    attention = _attention(similar, settings)
    return np.einsum("tn,tn->n", attention, similar) / attention.sum(axis=0)


def _attention(similar: Floats, settings: SemanticSettings) -> Floats:
    """Give a_j(i), up to their sum, float32 (T, N)."""
    ages = np.arange(len(similar), dtype=np.float32)[::-1, None]
    logits = similar / np.float32(settings.temperature)
    logits -= ages * np.float32(np.log(2) / settings.half_life)
    logits -= logits.max(axis=0)
    return np.exp(logits, out=logits)
