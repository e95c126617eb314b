"""Exploration keeps its promise: what is recorded is how often it happens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.candidates import Candidates
from longtale.errors import DataError
from longtale.evaluate.logged_slates import LoggedSlates
from longtale.evaluate.off_policy import ips
from longtale.rank.explore import EpsilonGreedy, EpsilonGreedySettings, Explored
from longtale.rank.thompson import BayesianLinear, Thompson, ThompsonSettings
from longtale.seeds import generator

N_ITEMS, K = 9, 4
N_SLATES = 5_000


def same_request(n: int) -> Candidates:
    """Nine candidates, asked for n times; item rows fall as the scores do."""
    items = np.arange(N_ITEMS - 1, -1, -1, dtype=np.int32)
    return Candidates(np.tile(items, (n, 1)), np.tile(items.astype(np.float32), (n, 1)))


def frequencies(explored: Explored) -> np.ndarray:
    """How often each item stood at each place, (N, k)."""
    found = np.zeros((N_ITEMS, explored.slate.items.shape[1]))
    for place, items in enumerate(explored.slate.items.T):
        found[:, place] = np.bincount(items, minlength=N_ITEMS)
    return found / len(explored.slate)


def recorded(explored: Explored) -> np.ndarray:
    """The mean recorded propensity of each item at each place, NaN where it never stood."""
    found = np.full((N_ITEMS, explored.slate.items.shape[1]), np.nan)
    for place, items in enumerate(explored.slate.items.T):
        for item in np.unique(items):
            found[item, place] = explored.propensities[items == item, place].mean()
    return found


@pytest.fixture
def rng():
    return generator(0, "test explore")


def greedy(epsilon: float, first_rank: int = 1) -> EpsilonGreedy:
    return EpsilonGreedy(EpsilonGreedySettings(epsilon=epsilon, first_rank=first_rank))


@pytest.mark.parametrize("first_rank", [1, 3])
def test_epsilon_greedy_shows_each_item_as_often_as_it_says(rng, first_rank):
    explored = greedy(0.4, first_rank).explore(same_request(N_SLATES), K, rng=rng)
    shown = frequencies(explored)
    assert (np.isnan(recorded(explored)) == (shown == 0)).all()
    np.testing.assert_allclose(np.nan_to_num(recorded(explored)), shown, atol=0.02)


def test_propensities_of_epsilon_greedy_are_exact(rng):
    explored = greedy(0.4).explore(same_request(200), K, rng=rng)
    expected = np.where(explored.is_lent, 0.4 / 5, 0.6)
    np.testing.assert_allclose(explored.propensities, expected, rtol=1e-6)


def test_only_allowed_items_are_drawn_and_no_more_places_lent_than_there_are(rng):
    allowed = np.isin(np.arange(N_ITEMS), [0, 2, 8])  # item 8 stands first anyway
    explored = greedy(1.0).explore(same_request(50), K, rng=rng, allowed=allowed)
    assert (explored.slate.items[:, :2] == [8, 7]).all()
    assert set(explored.slate.items[:, 2:].ravel()) == {0, 2}
    np.testing.assert_allclose(explored.propensities, [[1, 1, 0.5, 0.5]] * 50)


def test_same_dice_give_the_same_slates():
    first, again = (
        greedy(0.5).explore(same_request(20), K, rng=generator(3, "dice")) for _ in range(2)
    )
    np.testing.assert_array_equal(first.slate.items, again.slate.items)


@given(st.integers(0, 2**20), st.floats(0, 1), st.integers(1, 12), st.integers(0, N_ITEMS))
def test_slates_are_full_of_given_items_each_once(seed, epsilon, k, n_items):
    whole = same_request(3)
    is_padding = np.arange(N_ITEMS) >= n_items
    candidates = Candidates(
        np.where(is_padding, np.int32(-1), whole.items),
        np.where(is_padding, np.float32(np.nan), whole.scores),
    )
    explored = greedy(epsilon).explore(candidates, k, rng=generator(seed, "explore"))
    for items, propensities in zip(explored.slate.items, explored.propensities, strict=True):
        kept = items >= 0
        assert kept.sum() == len(set(items[kept])) == min(k, n_items)
        assert set(items[kept]) <= set(candidates.items[0])
        np.testing.assert_array_equal(np.isnan(propensities), ~kept)


def test_what_was_recorded_judges_another_policy_without_bias(rng):
    """The slate of the five items that were hardly shown, judged on slates that lent places."""
    n = 4_000
    explored = greedy(0.5).explore(same_request(n), K, rng=rng)
    clicks = rng.random((N_ITEMS, K))  # by item and place
    items, places = explored.slate.items, np.broadcast_to(np.arange(K), (n, K))
    rewards = rng.random((n, K)) < clicks[items, places]
    logged = LoggedSlates(
        np.repeat(np.arange(n), K),
        places.ravel() + 1,
        explored.propensities.ravel().astype(np.float64),
        rewards.ravel().astype(np.float64),
    )
    uniform_over_pool = np.where(items < N_ITEMS - K, 1 / (N_ITEMS - K), 0).ravel()
    truth = clicks[: N_ITEMS - K].mean(axis=0).sum()
    found = ips(logged, uniform_over_pool, rng=rng)
    assert found.low < truth < found.high
    assert found.high - found.low < 0.2


FEATURES = generator(1, "features").normal(size=(N_ITEMS, 3)).astype(np.float32)


def thompson(**changed: float) -> Thompson:
    model = BayesianLinear.prior(3, ThompsonSettings(**changed))
    rewards = FEATURES @ np.float32([0.5, 0.2, -0.3])
    return Thompson(model.updated(FEATURES[:5], rewards[:5]))


def tiled(n: int) -> np.ndarray:
    return np.tile(FEATURES[same_request(1).items[0]], (n, 1, 1))


@pytest.mark.parametrize("k", [4, 8])  # less than one place is lent in the mean
def test_thompson_shows_each_item_as_often_as_it_says(rng, k):
    n = 2_000
    bold = thompson(first_rank=2, n_draws=60)
    explored = bold.explore(same_request(n), k, tiled(n), rng=rng)
    shown = frequencies(explored)
    often = shown > 0.001
    assert explored.is_lent.mean() == pytest.approx(0.1, abs=0.015)
    np.testing.assert_allclose(recorded(explored)[often], shown[often], atol=0.015)


def test_thompson_at_quota_zero_changes_nothing(rng):
    explored = thompson(quota=0).explore(same_request(5), K, tiled(5), rng=rng)
    np.testing.assert_array_equal(explored.slate.items, same_request(5).items[:, :K])
    np.testing.assert_array_equal(explored.propensities, np.ones((5, K)))


def test_thompson_gives_an_item_up_that_cannot_reach_the_baseline(rng):
    known = np.eye(N_ITEMS, dtype=np.float32)
    model = BayesianLinear.prior(N_ITEMS, ThompsonSettings(first_rank=1))
    shown_often = np.repeat(known[[0]], 400, axis=0)
    model = model.updated(shown_often, np.zeros(400, dtype=np.float32))
    features = np.tile(known[same_request(1).items[0]], (500, 1, 1))
    explored = Thompson(model).explore(same_request(500), K, features, rng=rng, baseline=0.3)
    assert 0 not in explored.slate.items
    assert 1 in explored.slate.items


def test_posterior_is_that_of_ridge_regression():
    settings = ThompsonSettings(prior_precision=2, noise=0.5)
    rewards = np.arange(N_ITEMS, dtype=np.float32)
    model = BayesianLinear.prior(3, settings).updated(FEATURES, rewards)
    x = FEATURES.astype(np.float64)
    ridge = np.linalg.solve(x.T @ x + 2 * 0.5 * np.eye(3), x.T @ rewards)
    np.testing.assert_allclose(model.mean, ridge)


def test_learning_one_by_one_is_learning_at_once():
    rewards = np.arange(N_ITEMS, dtype=np.float32)
    model = BayesianLinear.prior(3, ThompsonSettings())
    at_once = model.updated(FEATURES, rewards)
    for x, r in zip(FEATURES[::-1], rewards[::-1], strict=True):
        model = model.updated(x[None], r[None])
    np.testing.assert_allclose(model.mean, at_once.mean)
    np.testing.assert_allclose(model.precision, at_once.precision)


def test_draws_have_the_mean_and_the_spread_of_the_posterior(rng):
    model = thompson().model
    drawn = model.draws(40_000, rng)
    np.testing.assert_allclose(drawn.mean(axis=0), model.mean, atol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), np.linalg.inv(model.precision), atol=0.02)


def test_chance_above_a_level_is_the_share_of_draws_above_it(rng):
    model = thompson().model
    drawn = model.draws(40_000, rng) @ FEATURES.T
    np.testing.assert_allclose(
        model.chance_above(FEATURES, 0.2), (drawn > 0.2).mean(axis=0), atol=0.01
    )


def test_nothing_known_of_an_item_leaves_no_doubt():
    nothing = np.zeros((1, 3), dtype=np.float32)
    chances = [thompson().model.chance_above(nothing, level)[0] for level in (-0.1, 0.0, 0.1)]
    assert chances == [1.0, 0.5, 0.0]


def test_learning_refuses_what_is_not_known():
    model = BayesianLinear.prior(3, ThompsonSettings())
    with pytest.raises(DataError, match="fill what is unknown"):
        model.updated(np.full((1, 3), np.nan), np.ones(1))
    with pytest.raises(DataError, match="a reward is not finite"):
        model.updated(np.ones((1, 3)), np.array([np.nan]))
    with pytest.raises(DataError, match=r"shape \(1, 2\)"):
        model.updated(np.ones((1, 2)), np.ones(1))
