"""What most people chose, ever or of late: the same answer for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import DAY, Floats
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.errors import SplitError
from longtale.schema import Serves
from longtale.settings import Settings


class PopularSettings(Settings):
    """How popularity is counted."""

    weighted: bool = False
    """Count the interest that each event shows instead of one for each event."""


class RisingSettings(Settings):
    """How fast popularity is forgotten."""

    half_life_days: float = Field(default=30.0, gt=0)
    """Days after which an event counts half."""


@dataclass(frozen=True, eq=False)
class Popular:
    """Scores each item by log(1 + number of events); one that nobody touched has no score.

    Args:
        settings: what it was fitted with.
        item_scores: float32 (N,).
    """

    name: ClassVar[str] = "popular"
    serves: ClassVar[Serves] = Serves.ANYONE

    settings: PopularSettings
    item_scores: Floats

    @classmethod
    def fit(cls, dataset: Dataset, settings: PopularSettings) -> Self:
        """Count the events of each item."""
        events = dataset.interactions.histories
        weights = events.weights if settings.weighted else np.ones_like(events.weights)
        return cls(settings, _item_scores(dataset, weights))

    def scores(self, queries: Queries) -> Floats:
        return np.tile(self.item_scores, (len(queries), 1))

    def state(self) -> State:
        return {"item_scores": self.item_scores}

    @classmethod
    def restore(cls, settings: PopularSettings, state: State) -> Self:
        return cls(settings, np.asarray(state["item_scores"]))


@dataclass(frozen=True, eq=False)
class Rising:
    """Scores each item by log(1 + Σ 2^(-age / half-life)) over its events.

    Ages count from the last event seen in training. Asking later makes all events older by the same
    time, which shrinks all sums by one factor: the order stays.

    Args:
        settings: what it was fitted with.
        item_scores: float32 (N,).
    """

    name: ClassVar[str] = "rising"
    serves: ClassVar[Serves] = Serves.ANYONE

    settings: RisingSettings
    item_scores: Floats

    @classmethod
    def fit(cls, dataset: Dataset, settings: RisingSettings) -> Self:
        """Count the events of each item, older ones for less.

        Raises:
            SplitError: the events carry no times; leave this retriever out then.
        """
        times = dataset.interactions.times
        if times is None:
            raise SplitError(
                "'rising' needs times, and these events have only an order within each user; "
                "map a time column, or leave 'rising' out of models.use"
            )
        ages = (times.max(initial=0) - times) / (DAY * settings.half_life_days)
        return cls(settings, _item_scores(dataset, np.exp2(-ages)))

    def scores(self, queries: Queries) -> Floats:
        return np.tile(self.item_scores, (len(queries), 1))

    def state(self) -> State:
        return {"item_scores": self.item_scores}

    @classmethod
    def restore(cls, settings: RisingSettings, state: State) -> Self:
        return cls(settings, np.asarray(state["item_scores"]))


def _item_scores(dataset: Dataset, weights: NDArray[np.floating]) -> Floats:
    sums = np.bincount(dataset.interactions.items, weights, minlength=dataset.n_items)
    scores = np.log1p(sums).astype(np.float32)
    scores[dataset.item_counts == 0] = np.nan
    return scores
