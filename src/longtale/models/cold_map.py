"""The cold map: what an item's words and attributes say of its place among what people like.

A model of behaviour gives each item that people met a vector; the map learns to tell that vector
from the item's description alone, and so places an item that nobody has met.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask, Rows
from longtale.contracts import State
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.models.als import ALS, ALSSettings
from longtale.models.attributes import Attributes
from longtale.models.cold_lessons import Lessons, column_weights, ridge
from longtale.models.interest import interest, silent
from longtale.schema import Serves
from longtale.settings import Settings


class ColdMapSettings(Settings):
    """How the place of an item is told from its description."""

    teacher: ALSSettings = ALSSettings(regularization=60, half_life=None)
    """The factors (iALS) that are told from descriptions; held smaller than for known items, since
    only what many items share can be told."""
    l2: float = Field(default=2.0, gt=0)
    """Strength of regularisation: how little is believed of one well-known item."""
    trust: float = Field(default=10.0, ge=0)
    """Number of events from which an item's factors count half as much as those of a well-known
    one."""
    attributes: float = Field(default=0.4, ge=0)
    """Weight of each column of the catalogue against the meaning of the whole text, before the
    items themselves tell what counts; 0 is meaning alone."""
    rounds: int = Field(default=2, ge=0)
    """How often the weights of the columns, of the meaning and of the regularisation are improved;
    0 leaves them as they are set."""
    popularity: float = Field(default=0.1, ge=0)
    """Weight of how popular the item looks against how well it fits the asker."""
    max_items: int = Field(default=4_000, ge=2)
    """Only the most popular items up to this number teach: time grows with the cube, memory with
    the square (400 MB for 10,000)."""


@dataclass(frozen=True, eq=False)
class ColdMap:
    """Scores z(x_u·f(t_i)) + π z(p(t_i)) for every item, also those that nobody has met.

    x_u is what iALS makes of the asker's history. f (factors) and p (log of the number of events)
    are told from an item's features t_i, its text vector and the attributes of its row:

        f(t) = μ + t Wᵀ with W = argmin Σ_j c_j ‖y_j - μ - W t_j‖² + λ‖W‖²,  c_j = n_j / (n_j + κ)

    over the items j that people met; n_j is their number of events, y_j are their factors and
    log(1 + n_j), μ is the mean of y. It is solved in its dual form, where time goes by items, not
    by features. Each column's share in t, and λ, make y most likely
    (`relevances`). z brings a request's scores to mean 0 and deviation 1 over the catalogue.

    Also an item that people met is scored by its description alone, so that one scale serves all.

    Source: Gantner et al. 2010, "Learning attribute-to-feature mappings for cold-start
    recommendations".

    Args:
        settings: what it was fitted with.
        teacher: iALS, which makes x_u of a history.
        attributes: what the catalogue's columns say.
        vector_weights: float32 (D, F + 1), from a text vector to factors and popularity.
        attribute_weights: float32 (A, F + 1), likewise from the attributes.
        mean: float32 (F + 1,).
        told: float32 (N', F + 1), factors and popularity of all items, told from descriptions.
        described: bool (N',), items of which anything is said.
    """

    name: ClassVar[str] = "cold_map"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: ColdMapSettings
    teacher: ALS
    attributes: Attributes
    vector_weights: Floats
    attribute_weights: Floats
    mean: Floats
    told: Floats
    described: Mask

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        settings: ColdMapSettings,
        vectors: Floats,
        *,
        teacher: ALS | None = None,
    ) -> Self:
        """Learn the map from the items that people met.

        Args:
            dataset: events, and the catalogue with all attributes.
            settings: how.
            vectors: float32 (N, D), the items' text vectors; a zero row has no text.
            teacher: iALS fitted on the same data with the teacher's settings, where there is one;
                None fits it.

        Raises:
            DataError: there is not one vector for each item.
        """
        if len(vectors) != dataset.n_items:
            raise DataError(
                f"{len(vectors)} vectors for {dataset.n_items} items; give one for each item of "
                "the catalogue, a zero row where there is no text"
            )
        teacher = ALS.fit(dataset, settings.teacher) if teacher is None else teacher
        attributes = Attributes.fit(dataset.catalog)
        learned = _learned_items(dataset.item_counts, settings.max_items)
        counts = dataset.item_counts[learned]
        rows = attributes.rows(dataset.catalog)[learned]
        goals = np.column_stack([teacher.item_factors[learned], np.log1p(counts)])
        mean = goals.mean(axis=0, dtype=np.float32)
        doubts = ((counts + settings.trust) / np.maximum(counts, 1)).astype(np.float32)
        lessons = Lessons(vectors[learned], rows, (goals - mean).astype(np.float32), doubts)
        weights, l2 = column_weights(
            lessons,
            attributes,
            start=settings.attributes,
            l2=settings.l2,
            rounds=settings.rounds,
        )
        meaning, columns = weights[0], weights[1:][attributes.columns]
        shares = ridge(lessons.scaled(np.sqrt(meaning), np.sqrt(columns)), l2)
        fitted = cls(
            settings,
            teacher,
            attributes,
            meaning * (lessons.vectors.T @ shares),
            columns[:, None] * (rows.T @ shares),
            mean,
            np.empty((0, len(mean)), dtype=np.float32),
            np.empty(0, dtype=np.bool_),
        )
        return fitted.with_vectors(vectors, dataset.catalog)

    def with_vectors(self, vectors: Floats, catalog: Catalog | None = None) -> Self:
        """Answer for a catalogue that has grown: new items are placed at once.

        Args:
            vectors: float32 (N', D); items already here come first and stay as they are.
            catalog: the attributes of all N' items; without it new items go by their text alone.
        """
        start = len(self.told)
        added = vectors[start:]
        told = self.mean + added @ self.vector_weights
        described = added.any(axis=1)
        if catalog is not None and catalog.frame.columns:
            newcomers = catalog.take(range(start, len(vectors)))
            told = told + self.attributes.rows(newcomers) @ self.attribute_weights
            described |= self.attributes.described(newcomers)
        return replace(
            self,
            told=np.concatenate([self.told, told.astype(np.float32)]),
            described=np.concatenate([self.described, described]),
        )

    def scores(self, queries: Queries) -> Floats:
        half_life, known = self.settings.teacher.half_life, self.teacher.known
        interests = interest(queries.histories, known, binary=False, half_life=half_life)
        fits = self.teacher.user_factors(interests) @ self.told[:, :-1].T
        scores = _standardised(fits, self.described) + self._looks
        return silent(scores, interests, self.described)

    def scores_at(self, queries: Queries, items: Rows) -> Floats:
        half_life, known = self.settings.teacher.half_life, self.teacher.known
        interests = interest(queries.histories, known, binary=False, half_life=half_life)
        users = self.teacher.user_factors(interests)
        mean, spread = self._fits_of(users)
        fits = users @ self.told[items, :-1].T
        scores = np.divide(fits - mean, spread, out=np.zeros_like(fits), where=spread > 0)
        return silent(scores + self._looks[:, items], interests, self.described[items])

    @cached_property
    def _looks(self) -> Floats:
        """What popularity by looks adds to the score of each item, float32 (1, N)."""
        looks = _standardised(self.told[None, :, -1], self.described)
        return np.float32(self.settings.popularity) * looks

    def _fits_of(self, users: Floats) -> tuple[Floats, Floats]:
        """Give mean and deviation of what suits each user, float32 (B, 1), over described items."""
        mean, covariance = self._places
        spread = np.sqrt(np.maximum(np.einsum("bf,fg,bg->b", users, covariance, users), 0))
        return (users @ mean)[:, None], spread[:, None].astype(np.float32)

    @cached_property
    def _places(self) -> tuple[Floats, Floats]:
        """Mean and covariance of the told factors of described items, (F,) and (F, F)."""
        told = self.told[self.described, :-1]
        if not len(told):
            width = self.told.shape[1] - 1
            return np.zeros(width, dtype=np.float32), np.zeros((width, width), dtype=np.float32)
        mean = told.mean(axis=0)
        centred = told - mean
        return mean, centred.T @ centred / np.float32(len(told))

    @property
    def n_items(self) -> int:
        """N."""
        return len(self.told)

    def state(self) -> State:
        teacher = {f"teacher_{name}": array for name, array in self.teacher.state().items()}
        return {
            **teacher,
            **self.attributes.state(),
            "vector_weights": self.vector_weights,
            "attribute_weights": self.attribute_weights,
            "mean": self.mean,
            "told": self.told,
            "described": self.described,
        }

    @classmethod
    def restore(cls, settings: ColdMapSettings, state: State) -> Self:
        prefix = "teacher_"
        teacher = {
            name.removeprefix(prefix): array
            for name, array in state.items()
            if name.startswith(prefix)
        }
        return cls(
            settings,
            ALS.restore(settings.teacher, teacher),
            Attributes.restore(state),
            np.asarray(state["vector_weights"], dtype=np.float32),
            np.asarray(state["attribute_weights"], dtype=np.float32),
            np.asarray(state["mean"], dtype=np.float32),
            np.asarray(state["told"], dtype=np.float32),
            np.asarray(state["described"], dtype=np.bool_),
        )


def _learned_items(counts: NDArray[np.int64], max_items: int) -> NDArray[np.int64]:
    """Give the rows of the most popular items, none that nobody met, rising."""
    n_touched = np.count_nonzero(counts)
    return np.sort(np.argsort(-counts, kind="stable")[: min(max_items, n_touched)])


def _standardised(scores: Floats, described: Mask) -> Floats:
    """Bring each row to mean 0 and deviation 1 over the described items, float32 (B, N)."""
    known = scores[:, described]
    if not known.shape[1]:
        return np.zeros_like(scores)
    deviations = known.std(axis=1, keepdims=True)
    centred = scores - known.mean(axis=1, keepdims=True)
    return np.divide(centred, deviations, out=np.zeros_like(scores), where=deviations > 0)
