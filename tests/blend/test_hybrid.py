from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.hybrid import Hybrid, source_scores
from longtale.contracts import State
from longtale.data.query import Queries
from longtale.schema import Serves
from longtale.settings import Settings


@dataclass(frozen=True)
class Rising:
    """Scores items by their row."""

    n_items: int
    name: ClassVar[str] = "rising"
    serves: ClassVar[Serves] = Serves.ANYONE
    settings: ClassVar[Settings] = Settings()

    def scores(self, queries: Queries) -> np.ndarray:
        return np.tile(np.arange(self.n_items, dtype=np.float32), (len(queries), 1))

    def state(self) -> State:
        return {}

    @classmethod
    def restore(cls, settings: Settings, state: State) -> Rising:
        raise NotImplementedError


@dataclass(frozen=True)
class Broken(Rising):
    """Always fails."""

    name: ClassVar[str] = "broken"

    def scores(self, queries: Queries) -> np.ndarray:
        raise ZeroDivisionError("broken on purpose")


def test_items_newer_than_a_retriever_get_nan_from_it() -> None:
    found = source_scores([Rising(3)], Queries.of([[0]]), 5)
    assert np.isnan(found.scores[0, 0]).tolist() == [False, False, False, True, True]


def test_answering_survives_a_broken_retriever_and_names_it() -> None:
    weights = np.array([0.5, 0.5], dtype=np.float32)
    hybrid = Hybrid((Rising(3), Broken(3)), ConvexBlend(BlendSettings(), weights, weights))
    found = hybrid.source_scores(Queries.of([[0]]), 3)
    assert found.failed == ("broken",)
    assert np.isnan(found.scores[1]).all()
    assert np.isfinite(found.scores[0]).all()


def test_measuring_does_not_hide_a_broken_retriever() -> None:
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        source_scores([Broken(3)], Queries.of([[0]]), 3)


def test_only_sources_that_the_blend_uses_are_asked() -> None:
    hybrid = Hybrid((Rising(3), Broken(3)), ConvexBlend.equal(("rising", "broken"), ("rising",)))
    assert hybrid.source_scores(Queries.of([[0]]), 3).failed == ()


@dataclass(frozen=True)
class Longest(Rising):
    """Scores every item by the length of the history."""

    name: ClassVar[str] = "longest"

    def scores(self, queries: Queries) -> np.ndarray:
        return np.repeat(queries.histories.lengths[:, None], self.n_items, axis=1)


@dataclass(frozen=True)
class Dreamer(Longest):
    """Imagines that everybody chose three items."""

    name: ClassVar[str] = "dreamer"

    def imagined(self, queries: Queries) -> Queries:
        return Queries.of([[0, 1, 2]] * len(queries))


@dataclass(frozen=True)
class Sleepless(Dreamer):
    """Cannot imagine anything."""

    def imagined(self, queries: Queries) -> Queries:
        raise ZeroDivisionError("broken on purpose")


def test_all_but_who_imagines_are_asked_with_what_was_imagined() -> None:
    found = source_scores([Longest(4), Dreamer(4)], Queries.of([[0]]), 4)
    assert found.scores[:, 0, 0].tolist() == [3, 1]


def test_who_imagines_need_not_be_asked() -> None:
    used = np.array([True, False])
    found = source_scores([Longest(4), Dreamer(4)], Queries.of([[0]]), 4, used=used)
    assert found.scores[0, 0, 0] == 3
    assert np.isnan(found.scores[1]).all()


def test_answering_survives_broken_imagination() -> None:
    found = source_scores([Longest(4), Sleepless(4)], Queries.of([[0]]), 4, survive=True)
    assert found.scores[:, 0, 0].tolist() == [1, 1]
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        source_scores([Longest(4), Sleepless(4)], Queries.of([[0]]), 4)
