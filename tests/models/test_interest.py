from __future__ import annotations

import numpy as np

from longtale.data.interactions import Histories
from longtale.models.interest import interest, silent

ALL = np.ones(4, dtype=np.bool_)


def test_interest_adds_up_what_events_show_unless_binary():
    liked = Histories.of([[0, 2, 0]])
    assert interest(liked, ALL, binary=False).toarray().tolist() == [[2, 0, 1, 0]]
    assert interest(liked, ALL, binary=True).toarray().tolist() == [[1, 0, 1, 0]]


def test_interest_halves_with_every_half_life_of_events():
    weights = interest(Histories.of([[3, 1, 0], [2]]), ALL, binary=True, half_life=1)
    assert weights.toarray().tolist() == [[1, 0.5, 0, 0.25], [0, 0, 1, 0]]


def test_interest_passes_over_what_the_model_does_not_know():
    known = np.array([True, False, True, True])
    weights = interest(Histories.of([[1, 2, 9, 0]]), known, binary=True, half_life=1)
    assert weights.toarray().tolist() == [[1, 0, 0.5, 0]]


def test_silent_puts_nan_at_unknown_items_and_for_requests_without_interest():
    known = np.array([True, False, True, True])
    interests = interest(Histories.of([[0], [1]]), known, binary=True)
    scores = silent(np.ones((2, 4), dtype=np.float32), interests, known)
    np.testing.assert_array_equal(scores, [[1, np.nan, 1, 1], [np.nan] * 4])
