"""Intervals that hold as often as they say, and tests whose answer is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.evaluate import intervals
from longtale.evaluate.intervals import bootstrap_intervals, crossed_interval, holm, paired_test
from longtale.seeds import generator


@pytest.fixture
def rng():
    return generator(0, "test intervals")


def test_interval_is_as_wide_as_theory_says(rng):
    values = rng.normal(5.0, 2.0, (4000, 1))
    low, high = bootstrap_intervals(values, rng=rng, n_bootstrap=4000)
    half = 1.96 * values.std() / np.sqrt(4000)
    np.testing.assert_allclose(
        [low[0], high[0]], [values.mean() - half, values.mean() + half], atol=half / 10
    )


def test_intervals_hold_as_often_as_they_say(rng):
    held = 0
    for _ in range(200):
        sample = rng.random((80, 1))
        low, high = bootstrap_intervals(sample, rng=rng, n_bootstrap=200, confidence=0.8)
        held += bool(low[0] <= 0.5 <= high[0])
    assert 0.7 < held / 200 < 0.9


def test_interval_of_equal_values_is_a_point(rng):
    low, high = bootstrap_intervals(np.full((50, 1), 0.3), rng=rng)
    np.testing.assert_allclose([low[0], high[0]], [0.3, 0.3])


def test_missing_values_are_left_out_of_the_mean(rng):
    values = np.array([[0.25, 1.0], [np.nan, 2.0], [0.25, 3.0]] * 20)
    low, high = bootstrap_intervals(values, rng=rng)
    np.testing.assert_allclose([low[0], high[0]], [0.25, 0.25])
    assert low[1] < 2.0 < high[1]


def test_column_without_values_has_no_interval(rng):
    values = np.column_stack([np.full(5, np.nan), np.ones(5)])
    low, high = bootstrap_intervals(values, rng=rng)
    np.testing.assert_allclose([low, high], [[np.nan, 1.0], [np.nan, 1.0]])


def test_single_value_among_missing_ones_has_itself_as_interval(rng):
    low, high = bootstrap_intervals(np.array([[0.5], [np.nan], [np.nan]]), rng=rng)
    np.testing.assert_allclose([low[0], high[0]], [0.5, 0.5])


@pytest.mark.parametrize(("n_users", "n_bootstrap"), [(0, 100), (10, 0)])
def test_without_users_or_draws_there_is_no_interval(rng, n_users, n_bootstrap):
    low, high = bootstrap_intervals(np.ones((n_users, 2)), rng=rng, n_bootstrap=n_bootstrap)
    assert np.isnan([low, high]).all()


def test_same_generator_gives_the_same_interval():
    values = generator(1, "values").random((30, 2))
    first, second = (bootstrap_intervals(values, rng=generator(0, "draws")) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_draws_in_several_parts_are_the_same_draws(monkeypatch):
    values = generator(1, "values").random((30, 2))
    whole = bootstrap_intervals(values, rng=generator(0, "draws"), n_bootstrap=50)
    monkeypatch.setattr(intervals, "_DRAWS_AT_ONCE", 70)
    parts = bootstrap_intervals(values, rng=generator(0, "draws"), n_bootstrap=50)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_clear_difference_is_found(rng):
    second = rng.random(200)
    found = paired_test(second + 0.1 + rng.normal(0, 0.1, 200), second, rng=rng)
    assert found.low > 0
    assert found.p == pytest.approx(1 / 1001)
    assert found.difference == pytest.approx(0.1, abs=0.03)


def test_chance_is_seldom_taken_for_a_difference():
    rng = generator(1, "test chance")
    samples = rng.random((600, 2, 40))
    found = [paired_test(*pair, rng=rng, n_bootstrap=200).p for pair in samples]
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.08


def test_probability_equals_that_of_all_flips(rng):
    gaps = np.array([0.5, 0.25, -0.125, 1.0, 0.75, -0.25, 0.3, 0.0])
    flips = np.array(list(product([-1, 1], repeat=len(gaps))))
    exact = np.mean(np.abs(flips @ gaps) >= abs(gaps.sum()) - 1e-12)
    found = paired_test(gaps, np.zeros(len(gaps)), rng=rng, n_bootstrap=20_000)
    assert found.p == pytest.approx(exact, abs=0.01)


def test_model_against_itself_is_no_different(rng):
    values = rng.random(30)
    found = paired_test(values, values, rng=rng)
    assert (found.difference, found.low, found.high, found.p, found.n) == (0, 0, 0, 1, 30)


def test_swapping_the_models_turns_the_difference_round(rng):
    first, second = rng.random(50), rng.random(50)
    there = paired_test(first, second, rng=generator(0, "same"))
    back = paired_test(second, first, rng=generator(0, "same"))
    assert (back.difference, back.p) == (pytest.approx(-there.difference), there.p)
    assert back.low == pytest.approx(-there.high, abs=1e-6)


def test_user_without_a_value_under_either_model_is_left_out(rng):
    found = paired_test(np.array([1.0, np.nan, 3.0]), np.array([0.0, 1.0, np.nan]), rng=rng)
    assert (found.n, found.difference) == (1, 1.0)


def test_nobody_in_common_gives_no_answer(rng):
    found = paired_test(np.array([np.nan]), np.array([1.0]), rng=rng)
    assert found.n == 0
    assert np.isnan([found.difference, found.low, found.high, found.p]).all()


def test_holm_multiplies_the_smallest_by_their_number():
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_makes_surer(p_values):
    before = np.array(p_values)
    after = holm(before)
    assert ((after >= before) & (after <= 1)).all()
    assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()


def crossed(rng, n_users, n_items, of_items):
    """Values of all pairs, whose items differ by `of_items` and whose users do not."""
    users, items = (each.ravel() for each in np.indices((n_users, n_items)))
    values = rng.normal(0, of_items, n_items)[items] + rng.normal(0, 1, len(items))
    return values / n_items, np.full(len(items), 1 / n_items), users, items


def test_crossed_interval_is_as_wide_as_the_items_make_it(rng):
    parts, shares, users, items = crossed(rng, 400, 25, 2.0)
    low, high = crossed_interval(parts, shares, users, items, rng=rng, n_bootstrap=2000)
    of_items = np.bincount(items, parts).mean() * 25 / 400, np.bincount(items, parts) * 25 / 400
    half = 1.96 * of_items[1].std() / 5
    np.testing.assert_allclose([low, high], of_items[0] + np.array([-half, half]), atol=half / 5)
    alone = bootstrap_intervals(np.bincount(users, parts)[:, None], rng=rng)
    assert high - low > 5 * (alone[1] - alone[0])


def test_crossed_interval_holds_as_often_as_it_says(rng):
    held = 0
    for _ in range(100):
        low, high = crossed_interval(*crossed(rng, 30, 20, 1.0), rng=rng, n_bootstrap=200)
        held += low <= 0 <= high
    assert held >= 88


def test_crossed_interval_of_nothing_is_none_and_of_equal_values_a_point(rng):
    none = np.empty(0)
    assert np.isnan(crossed_interval(none, none, none, none, rng=rng)).all()
    users, items = np.array([0, 0, 1, 2]), np.array([5, 7, 7, 9])
    shares = np.array([0.5, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(
        crossed_interval(0.3 * shares, shares, users, items, rng=rng), [0.3, 0.3]
    )
