"""Histories cut short and put into another order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.language.augment.histories import cropped, reordered

seeds = st.integers(0, 1000).map(np.random.default_rng)
lengths = st.integers(1, 30)


@given(lengths, st.floats(0, 1), seeds)
def test_a_cropped_history_is_one_run_of_the_whole(n, share, rng):
    history = np.arange(100, 100 + n, dtype=np.int32)
    found = cropped(history, share=share, rng=rng)
    assert len(found) == max(1, round(share * n))
    np.testing.assert_array_equal(found, np.arange(found[0], found[0] + len(found)))
    assert found.dtype == np.int32


@given(lengths, st.floats(0, 1), seeds)
def test_a_reordered_history_changes_within_one_run_alone(n, share, rng):
    history = np.arange(n, dtype=np.int32)
    found = reordered(history, share=share, rng=rng)
    assert sorted(found) == list(range(n))
    moved = np.flatnonzero(found != history)
    assert len(moved) == 0 or moved[-1] - moved[0] < max(1, round(share * n))
    np.testing.assert_array_equal(history, np.arange(n))


def test_a_run_may_begin_anywhere(rng):
    history = np.arange(5, dtype=np.int32)
    starts = {int(cropped(history, share=0.4, rng=rng)[0]) for _ in range(100)}
    assert starts == {0, 1, 2, 3}


def test_every_order_of_a_run_comes(rng):
    history = np.arange(3, dtype=np.int32)
    assert len({tuple(reordered(history, share=1, rng=rng)) for _ in range(100)}) == 6


@pytest.mark.parametrize("change", [cropped, reordered])
def test_an_empty_history_stays_empty(change, rng):
    assert len(change(np.zeros(0, dtype=np.int32), share=0.5, rng=rng)) == 0


def test_what_was_given_is_not_changed_through_what_came_back(rng):
    history = np.arange(4, dtype=np.int32)
    cropped(history, share=1, rng=rng)[:] = 9
    np.testing.assert_array_equal(history, np.arange(4))
