"""The frontier of a dial in a world whose lists can be written down."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.evaluate.worlds import models, small_fold

from longtale.errors import DataError, MissingExtraError
from longtale.evaluate.frontier import Point, bottom_items, frontier, plot_frontier

IS_TAIL = np.arange(8) >= 6


def towards_the_tail(turn: float, scores: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """At 1 the last two items, the tail, stand before all others."""
    return np.where(IS_TAIL, scores + 100 * turn, scores).astype(np.float32)


def points(**changed: object) -> list[Point]:
    return frontier(
        models, towards_the_tail, (0.0, 1.0), small_fold(), IS_TAIL, model="falling", k=2, **changed
    )


def test_others_come_first_at_rest_and_then_each_turn():
    found = [(point.model, point.turn) for point in points()]
    assert found == [("rising", 0.0), ("silent", 0.0), ("falling", 0.0), ("falling", 1.0)]


def test_turning_moves_places_and_hits_to_the_tail():
    at_rest, full = points()[-2:]
    # At rest the lists are 2 3, 1 2 and 6 7; user 3 has seen the first six items.
    assert at_rest.tail_share == pytest.approx(1 / 3)
    assert full.tail_share == 1.0
    assert at_rest.coverage == 5 / 8
    assert full.coverage == 2 / 8
    assert at_rest.tail_recall == 0.5  # user 1 wants 6 and misses it, user 3 finds 7
    assert full.tail_recall == 1.0
    assert full.n_tail == 2
    assert full.ndcg < at_rest.ndcg
    assert full.gini > at_rest.gini


def test_dial_is_told_what_cannot_come():
    told: list[np.ndarray] = []

    def turned(turn: float, scores: np.ndarray, masked: np.ndarray) -> np.ndarray:
        told.append(masked)
        return scores

    frontier(models, turned, (0.0,), small_fold(), IS_TAIL, model="falling")
    assert np.concatenate(told).sum(axis=1).tolist() == [2, 1, 6]


def test_ndcg_is_the_mean_over_users_that_have_targets():
    for point in points():
        assert len(point.ndcg_per_user) == 3
        assert point.ndcg == pytest.approx(point.ndcg_per_user.mean())


def test_without_a_target_of_the_tail_there_is_no_recall():
    nothing = np.zeros(8, dtype=np.bool_)
    for point in frontier(
        models, lambda turn, scores, masked: scores, (0.0,), small_fold(), nothing, model="falling"
    ):
        assert point.n_tail == 0
        assert np.isnan(point.tail_recall)


@given(arrays("i8", st.integers(1, 30), elements=st.integers(0, 5)), st.floats(0, 1))
def test_bottom_items_are_at_least_the_share_and_split_no_equals(counts, share):
    is_tail = bottom_items(counts, share)
    assert is_tail.sum() >= share * len(counts) - 1e-9
    if is_tail.any() and not is_tail.all():
        assert counts[is_tail].max() < counts[~is_tail].min()
    fewer = is_tail & (counts < counts[is_tail].max(initial=0))
    assert fewer.sum() < max(share * len(counts), 1)


def test_picture_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "frontier.png"
    assert plot_frontier(points(), path, title="toys") == path
    assert path.stat().st_size > 1000


def test_unknown_ending_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"its ending must be one of \.png"):
        plot_frontier(points(), tmp_path / "frontier.gif", title="toys")


def test_missing_matplotlib_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plots"):
        plot_frontier(points(), tmp_path / "frontier.png", title="toys")
