from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.arrays import Floats
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of, generated, two_tribes
from longtale.errors import DataError
from longtale.models.als import ALS, ALSSettings
from longtale.models.simulate import (
    GENERATED,
    SimulateSettings,
    continued,
    with_likely_users,
    without_generated,
)
from longtale.seeds import generator


@pytest.fixture(scope="module")
def dataset():
    return generated(generator(0, "simulate"), 30, 20, 200)


def only(dataset, *items):
    return np.isin(np.arange(dataset.n_items), items)


def table(values) -> Floats:
    return np.array(values, dtype=np.float32)


def by_user(scores):
    return lambda queries: scores[queries.user_rows]


def test_each_new_item_gets_the_users_whom_it_stands_out_for():
    world = dataset_of([[0], [0], [0]], n_items=3)
    scores = table([[0, 5, 1], [0, 1, 5], [0, 9, 8]])
    grown = with_likely_users(
        world, by_user(scores), only(world, 1, 2), SimulateSettings(users_per_item=2)
    )
    pairs = list(
        zip(grown.interactions.users.tolist(), grown.interactions.items.tolist(), strict=True)
    )
    assert sorted(pairs) == sorted([(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (1, 2), (0, 2)])


def test_generated_events_are_light_marked_and_before_the_real_ones(dataset):
    cold = only(dataset, int(dataset.item_counts.argmin()))
    scores = generator(1, "scores").normal(size=(30, 20)).astype(np.float32)
    settings = SimulateSettings(users_per_item=4, weight=0.05)
    grown = with_likely_users(dataset, by_user(scores), cold, settings)
    events = grown.interactions
    is_generated = events.kinds == grown.kinds.index(GENERATED)
    assert 0 < is_generated.sum() <= 4
    np.testing.assert_allclose(events.histories.weights[is_generated], 0.05)
    assert np.isnan(events.values[is_generated]).all()
    for user in np.unique(events.users[is_generated]):
        own = events.users == user
        assert is_generated[own].tolist() == sorted(is_generated[own], reverse=True)
        assert (np.diff(events.times[own]) >= 0).all()


def test_what_really_happened_comes_back_untouched(dataset):
    scores = generator(1, "scores").normal(size=(30, 20)).astype(np.float32)
    grown = with_likely_users(dataset, by_user(scores), only(dataset, 1, 2), SimulateSettings())
    assert len(grown.interactions) > len(dataset.interactions)
    again = without_generated(grown).interactions
    real = dataset.interactions
    np.testing.assert_array_equal(again.histories.offsets, real.histories.offsets)
    np.testing.assert_array_equal(again.histories.weights, real.histories.weights)
    np.testing.assert_array_equal(again.items, real.items)
    np.testing.assert_array_equal(again.times, real.times)
    np.testing.assert_array_equal(again.kinds, real.kinds)
    np.testing.assert_array_equal(again.values, real.values)


def test_nobody_gets_an_item_that_they_met_or_that_cannot_be_scored():
    world = dataset_of([[1], [0], [0]], n_items=3)
    scores = table([[0, 5, 1], [0, np.nan, 5], [0, 9, 8]])
    grown = with_likely_users(world, by_user(scores), only(world, 1, 2), SimulateSettings())
    users = grown.interactions.users[grown.interactions.items == 1]
    assert sorted(users.tolist()) == [0, 2]  # 0 really met it, 1 cannot be scored


def test_a_model_of_behaviour_learns_of_a_new_item_by_generated_events():
    tribes = two_tribes(generator(0, "tribes"), loyalty=1.0)
    world = tribes.with_interactions(tribes.interactions.items != 0)
    own_tribe = np.where(np.arange(40)[:, None] < 20, 1.0, -1.0) * (np.arange(20) < 10)
    scores = own_tribe.astype(np.float32)
    grown = with_likely_users(
        world, by_user(scores), only(world, 0, 19), SimulateSettings(users_per_item=10)
    )
    model = ALS.fit(grown, ALSSettings(factors=4, regularization=0.1, half_life=None))
    found = model.scores(Queries.of([[1, 2, 3], [11, 12, 13]]))
    assert found[0, 0] > found[1, 0]


def test_no_chosen_item_changes_nothing(dataset):
    assert with_likely_users(dataset, by_user(None), only(dataset), SimulateSettings()) is dataset


def test_generating_twice_is_refused(dataset):
    scores = generator(1, "scores").normal(size=(30, 20)).astype(np.float32)
    grown = with_likely_users(dataset, by_user(scores), only(dataset, 1), SimulateSettings())
    with pytest.raises(DataError, match="holds generated events already"):
        with_likely_users(grown, by_user(scores), only(grown, 2), SimulateSettings())


def chain(queries: Queries) -> Floats:
    """Want the item behind the last one; nothing else comes near."""
    scores = np.full((len(queries), 6), -100, dtype=np.float32)
    for row, found in enumerate(scores):
        items = queries.histories.take(np.array([row])).items
        found[(items[-1] + 1) % 6 if len(items) else 0] = 0
    return scores


def test_continuation_asks_again_after_each_event():
    drawn = continued(
        Queries.of([[1], [4], []]), chain, n_events=3, temperature=1, rng=generator(0, "draw")
    )
    assert [drawn.take(np.array([b])).items.tolist() for b in range(3)] == [
        [2, 3, 4],
        [5, 0, 1],
        [0, 1, 2],
    ]


def test_continuation_repeats_nothing_and_ends_where_no_item_is_left():
    flat = lambda queries: np.zeros((len(queries), 4), dtype=np.float32)  # noqa: E731
    drawn = continued(
        Queries.of([[1], []]), flat, n_events=9, temperature=1, rng=generator(0, "draw")
    )
    assert sorted(drawn.take(np.array([0])).items.tolist()) == [0, 2, 3]
    assert sorted(drawn.take(np.array([1])).items.tolist()) == [0, 1, 2, 3]


def test_continuations_are_drawn_in_proportion_to_the_odds():
    scores = np.log(np.float32([0.7, 0.2, 0.1]))
    queries = Queries.of([[]] * 3000)
    drawn = continued(
        queries,
        lambda asked: np.tile(scores, (len(asked), 1)),
        n_events=1,
        temperature=1,
        rng=generator(0, "draw"),
    )
    shares = np.bincount(drawn.items, minlength=3) / 3000
    np.testing.assert_allclose(shares, [0.7, 0.2, 0.1], atol=0.04)


def test_low_temperature_draws_the_best(dataset):
    scores = generator(2, "scores").normal(size=(1, 20)).astype(np.float32)
    drawn = continued(
        replace(Queries.of([[]]), user_rows=np.array([0], dtype=np.int32)),
        by_user(scores),
        n_events=1,
        temperature=1e-4,
        rng=generator(0, "draw"),
    )
    assert drawn.items.tolist() == [int(scores.argmax())]
