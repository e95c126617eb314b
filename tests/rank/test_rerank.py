"""The scale of relevance, and the greedy choice against one written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from longtale.data.candidates import Candidates
from longtale.rank.rerank import (
    each_greedily,
    first_places,
    greedy,
    relevance,
    reordered,
)

SCORES = arrays("f4", st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.integers(-9, 9))


def candidates_of(scores: np.ndarray) -> Candidates:
    items = np.tile(np.arange(scores.shape[1], dtype=np.int32), (len(scores), 1))
    return Candidates(items, -np.sort(-scores, axis=1))


def test_best_is_one_and_the_middle_minus_one():
    found = relevance(candidates_of(np.float32([[9, 7, 5, 4]])))
    assert found.tolist() == [[1.0, 0.0, -1.0, -1.5]]


def test_one_hopeless_candidate_does_not_make_all_others_alike():
    found = relevance(candidates_of(np.float32([[9, 7, 5, 4, -1e6]])))
    assert found[0, :4].tolist() == [1.0, 0.0, -1.0, -1.5]


def test_last_sets_the_scale_where_the_first_half_is_equal():
    assert relevance(candidates_of(np.float32([[3, 3, 3, 1]]))).tolist() == [[1, 1, 1, -1]]


def test_equal_scores_are_all_as_relevant_and_padding_is_not():
    padded = Candidates(np.int32([[4, 2, -1], [-1, -1, -1]]), np.float32([[2, 2, np.nan]] * 2))
    padded.scores[1] = np.nan
    assert relevance(padded).tolist() == [[1, 1, 0], [0, 0, 0]]


@given(SCORES)
def test_relevance_falls_with_the_scores(scores):
    candidates = candidates_of(scores)
    gaps = np.diff(relevance(candidates), axis=1)
    np.testing.assert_array_equal(gaps < 0, np.diff(candidates.scores, axis=1) < 0)


@given(SCORES, st.floats(0.1, 50), st.integers(-100, 100))
def test_relevance_does_not_depend_on_scale_and_shift(scores, scale, shift):
    other = (scores * scale + shift).astype(np.float32)
    np.testing.assert_allclose(
        relevance(candidates_of(other)), relevance(candidates_of(scores)), atol=1e-2
    )


class Additive:
    """Worth that does not depend on what was taken, for R requests."""

    def __init__(self, worth: np.ndarray) -> None:
        self.worth = worth
        self.taken: list[list[int]] = []

    def gains(self) -> np.ndarray:
        return self.worth

    def take(self, places: np.ndarray) -> None:
        self.taken.append(places.tolist())


@given(SCORES, st.integers(1, 10), st.data())
def test_greedy_of_additive_worth_is_a_stable_sort(worth, k, data):
    allowed = data.draw(arrays("?", worth.shape))
    chosen = greedy(allowed, k, Additive(worth.astype(np.float64)))
    for row, own in enumerate(chosen):
        columns = np.flatnonzero(allowed[row])
        slow = columns[np.argsort(-worth[row, columns], kind="stable")][:k]
        assert own[own >= 0].tolist() == slow.tolist()
        assert (own[len(slow) :] == -1).all()


def test_objective_is_told_of_every_choice():
    objective = Additive(np.array([[1.0, 3.0, 2.0]]))
    greedy(np.ones((1, 3), dtype=np.bool_), 2, objective)
    assert objective.taken == [[1], [2]]


def test_request_without_an_objective_keeps_its_first():
    allowed = np.array([[False, True, True], [True, True, True]])
    worth = Additive(np.array([[0.0, 1.0, 2.0]]))
    chosen = each_greedily(allowed, 2, lambda request: worth if request else None)
    assert chosen.tolist() == [[1, 2], [2, 1]]


def test_first_places_are_padded_where_too_few_are_allowed():
    assert first_places(np.array([[False, True, False]]), 2).tolist() == [[1, -1]]


def test_score_of_a_place_never_says_more_than_the_item_is_worth():
    candidates = Candidates(np.int32([[7, 8, 9]]), np.float32([[3, 2, 1]]))
    moved = reordered(candidates, np.array([[0, 2, 1]]))
    assert moved.items.tolist() == [[7, 9, 8]]
    assert moved.scores.tolist() == [[3, 1, 1]]


def test_places_that_are_none_become_padding():
    moved = reordered(candidates_of(np.float32([[3, 2]])), np.array([[1, -1]]))
    assert moved.items.tolist() == [[1, -1]]
    assert moved.scores[0, 0] == 2
    assert np.isnan(moved.scores[0, 1])


@pytest.mark.parametrize("k", [1, 3])
def test_nothing_to_choose_from_gives_nothing(k):
    nothing = candidates_of(np.empty((2, 0), dtype=np.float32))
    assert relevance(nothing).shape == (2, 0)
    assert reordered(nothing, first_places(nothing.items >= 0, k)).items.shape == (2, 0)
