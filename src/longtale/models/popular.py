"""What most people chose, ever or of late: the same answer for everybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import DAY, Floats, Rows, Times
from longtale.contracts import State
from longtale.data.arrivals import Arrivals
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.errors import SplitError
from longtale.schema import Serves
from longtale.settings import Settings

Sums = NDArray[np.float64]


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
        sums: float64 (N,), events of each item, NaN where there are none.
    """

    name: ClassVar[str] = "popular"
    serves: ClassVar[Serves] = Serves.ANYONE

    settings: PopularSettings
    sums: Sums

    @classmethod
    def fit(cls, dataset: Dataset, settings: PopularSettings) -> Self:
        """Count the events of each item."""
        events = dataset.interactions.histories
        weights = events.weights if settings.weighted else np.ones_like(events.weights)
        return cls(settings, _added(_nothing(dataset), events.items, weights))

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Count the new events too: exact."""
        liked = events.liked
        weights = liked.weights if self.settings.weighted else np.ones_like(liked.weights)
        return replace(self, sums=_added(_widened(self.sums, dataset), liked.items, weights))

    @cached_property
    def item_scores(self) -> Floats:
        """Score of each item, float32 (N,)."""
        return np.log1p(self.sums).astype(np.float32)

    def scores(self, queries: Queries) -> Floats:
        return np.tile(self.item_scores, (len(queries), 1))

    def state(self) -> State:
        return {"sums": self.sums}

    @classmethod
    def restore(cls, settings: PopularSettings, state: State) -> Self:
        return cls(settings, np.asarray(state["sums"], dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Rising:
    """Scores each item by log(1 + Σ 2^(-age / half-life)) over its events.

    Ages count from the last event seen. Asking later makes all events older by the same time, which
    shrinks all sums by one factor: the order stays.

    Args:
        settings: what it was fitted with.
        sums: float64 (N,), events of each item, older ones for less, NaN where there are none.
        latest: when the last event happened, microseconds UTC.
    """

    name: ClassVar[str] = "rising"
    serves: ClassVar[Serves] = Serves.ANYONE

    settings: RisingSettings
    sums: Sums
    latest: int

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
        latest = int(times.max(initial=0))
        weights = _faded(latest - times, settings)
        sums = _added(_nothing(dataset), dataset.interactions.items, weights)
        return cls(settings, sums, latest)

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Count the new events too; all that was counted grows older by one factor.

        Equals a fit on old and new but for float64 rounding.
        """
        liked = events.liked
        if not len(liked) or liked.times is None:
            return replace(self, sums=_widened(self.sums, dataset))
        latest = max(self.latest, int(liked.times.max()))
        old = self.sums * _faded(latest - self.latest, self.settings)
        weights = _faded(latest - liked.times, self.settings)
        return replace(
            self, sums=_added(_widened(old, dataset), liked.items, weights), latest=latest
        )

    @cached_property
    def item_scores(self) -> Floats:
        """Score of each item, float32 (N,)."""
        return np.log1p(self.sums).astype(np.float32)

    def scores(self, queries: Queries) -> Floats:
        return np.tile(self.item_scores, (len(queries), 1))

    def state(self) -> State:
        return {"sums": self.sums, "latest": np.array([self.latest], dtype=np.int64)}

    @classmethod
    def restore(cls, settings: RisingSettings, state: State) -> Self:
        sums = np.asarray(state["sums"], dtype=np.float64)
        return cls(settings, sums, int(state["latest"][0]))


def _faded(ages: Times | int, settings: RisingSettings) -> Sums:
    """Give what events of these ages, microseconds, still count."""
    return np.exp2(-np.asarray(ages) / (DAY * settings.half_life_days))


def _nothing(dataset: Dataset) -> Sums:
    return np.full(dataset.n_items, np.nan)


def _widened(sums: Sums, dataset: Dataset) -> Sums:
    """Give the sums with places for items that came to the catalogue later."""
    return np.append(sums, np.full(dataset.n_items - len(sums), np.nan))


def _added(sums: Sums, items: Rows, weights: NDArray[np.floating]) -> Sums:
    """Give the sums with some events more, (N,); an item that was touched is NaN no longer."""
    more = np.bincount(items, weights, minlength=len(sums))
    touched = np.bincount(items, minlength=len(sums)) > 0  # what has faded to 0 was touched too
    return np.where(touched, np.nan_to_num(sums) + more, sums)
