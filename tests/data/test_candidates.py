from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from longtale.data.candidates import Candidates, Scale

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 9))
VALUES = st.sampled_from([float("nan"), -np.inf, -1.0, 0.0, 0.5, 2.0])


@given(SHAPES.flatmap(lambda s: st.tuples(arrays("f4", s, elements=VALUES), arrays("?", s))))
def test_best_are_sorted_without_duplicates_and_padded_only_at_the_end(drawn):
    scores, exclude = drawn
    best = Candidates.best(scores, 5, exclude=exclude)
    for row in range(len(best)):
        items, kept = best.items[row], best.items[row] >= 0
        n_kept = int(kept.sum())
        assert kept[:n_kept].all()
        assert len(set(items[:n_kept])) == n_kept
        assert (np.diff(best.scores[row, :n_kept]) <= 0).all()
        assert np.isnan(best.scores[row, n_kept:]).all()


@given(SHAPES.flatmap(lambda s: st.tuples(arrays("f4", s, elements=VALUES), arrays("?", s))))
def test_best_never_holds_an_excluded_item(drawn):
    scores, exclude = drawn
    best = Candidates.best(scores, 9, exclude=exclude)
    for row, items in enumerate(best.items):
        assert not exclude[row][items[items >= 0]].any()


def test_best_leaves_the_scores_alone():
    scores = np.array([[1, 2]], dtype=np.float32)
    Candidates.best(scores, 1, exclude=np.array([[False, True]]))
    assert scores.tolist() == [[1, 2]]


FINITE = st.floats(-10, 10, width=32)


@given(arrays("f4", (2, 3, 7), elements=FINITE), arrays("?", (2, 3, 7)))
def test_a_scale_is_mean_and_deviation_of_what_is_known(scores, is_missing):
    scores[is_missing] = np.nan
    scale = Scale.of(scores)
    for place in np.ndindex(2, 3):
        known = scores[place][~is_missing[place]].astype(np.float64)
        wanted = (known.mean(), known.std()) if len(known) else (0, 0)
        found = (scale.means[place], scale.deviations[place])
        np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_a_source_that_says_the_same_of_all_items_has_no_deviation():
    assert Scale.of(np.full((1, 1, 1000), 0.1, dtype=np.float32)).deviations.item() == 0


def test_scores_whose_squares_vanish_tell_no_item_from_another() -> None:
    tiny = np.array([[[9e-23, 0.0]], [[9e-12, 0.0]]], dtype=np.float32)
    assert (Scale.of(tiny).deviations > 0).ravel().tolist() == [False, True]
