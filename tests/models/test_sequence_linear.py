from __future__ import annotations

import numpy as np
import pytest

from longtale.arrays import DAY
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of, generated
from longtale.models.linear import propensity_weights
from longtale.models.sequence_linear import (
    SequenceLinear,
    SequenceLinearSettings,
    past_and_next,
)
from longtale.seeds import generator

EVERYTHING = SequenceLinearSettings(l2=2, past_half_life=20, next_half_life=10, window_days=None)


@pytest.fixture(scope="module")
def dataset():
    return generated(generator(0, "sequence linear"), 50, 30, 400)


def slow_past_and_next(dataset, settings):
    """Go through every history event by event."""
    past, following = [], []
    for user in range(dataset.n_users):
        history = dataset.histories(np.array([user]))
        for t in range(len(history.items)):
            rows = np.zeros((2, dataset.n_items))
            for other, item in enumerate(history.items):
                gap = abs(history.times[t] - history.times[other]) / DAY
                if settings.window_days is not None and gap > settings.window_days:
                    continue
                if other <= t:
                    fade = settings.gap_half_life_days
                    weight = 1 if fade is None else 2 ** (-gap / fade)
                    rows[0, item] += weight * 2 ** (-(t - other) / settings.past_half_life)
                else:
                    rows[1, item] += 2 ** (-(other - t - 1) / settings.next_half_life)
            past.append(rows[0] * rows[1].any())
            following.append(rows[1])
    return np.array(past), np.array(following)


@pytest.mark.parametrize(
    "changes",
    [{}, {"window_days": 60.0}, {"gap_half_life_days": 30.0, "window_days": 200.0}],
    ids=["order", "window", "gap"],
)
def test_rows_hold_the_decayed_past_and_what_came_next(dataset, changes):
    settings = EVERYTHING.model_copy(update=changes)
    found = past_and_next(dataset.interactions.histories, dataset.n_items, settings)
    for part, expected in zip(found, slow_past_and_next(dataset, settings), strict=True):
        np.testing.assert_allclose(part.toarray(), expected, atol=0.03)  # the least are left out


def test_weights_equal_a_ridge_regression_from_past_to_next(dataset):
    model = SequenceLinear.fit(dataset, EVERYTHING)
    past, following = (
        part.toarray().astype(np.float64)
        for part in past_and_next(dataset.interactions.histories, dataset.n_items, EVERYTHING)
    )
    gram = past.T @ past + EVERYTHING.l2 * np.eye(dataset.n_items)
    expected = np.linalg.solve(gram, past.T @ following)
    np.testing.assert_allclose(model.weights.matrix.toarray(), expected, atol=1e-4)


def test_what_follows_is_told_from_what_goes_before():
    dataset = dataset_of([[0, 1, 2], [0, 1, 2], [0, 1, 2]])
    model = SequenceLinear.fit(dataset, SequenceLinearSettings(l2=0.1))
    scores = model.scores(Queries.of([[1]]))[0]
    assert scores[2] > 10 * abs(scores[0])


def test_data_without_times_go_by_order_alone(dataset):
    histories = [dataset.histories(np.array([u])).items.tolist() for u in range(dataset.n_users)]
    untimed = dataset_of(histories, n_items=dataset.n_items)
    usual = SequenceLinear.fit(untimed, EVERYTHING)
    timed = EVERYTHING.model_copy(update={"window_days": 1.0, "gap_half_life_days": 1.0})
    again = SequenceLinear.fit(untimed, timed)
    np.testing.assert_array_equal(again.weights.matrix.toarray(), usual.weights.matrix.toarray())


def test_only_the_most_popular_items_take_part():
    dataset = dataset_of([[0, 1, 2], [0, 1], [0, 1]])
    model = SequenceLinear.fit(dataset, SequenceLinearSettings(max_items=2))
    scores = model.scores(Queries.of([[0], [2]]))
    np.testing.assert_array_equal(np.isnan(scores), [[False, False, True], [True, True, True]])


def test_tail_multiplies_each_item_s_score_by_its_propensity_weight(dataset):
    usual = SequenceLinear.fit(dataset, EVERYTHING)
    lifted = SequenceLinear.fit(dataset, EVERYTHING.model_copy(update={"tail": 0.7}))
    queries = Queries.of([[1, 2], [3]])
    weights = propensity_weights(dataset.item_counts, 0.7)
    np.testing.assert_allclose(lifted.scores(queries), usual.scores(queries) * weights, rtol=1e-4)


def test_users_without_a_second_event_teach_nothing():
    model = SequenceLinear.fit(dataset_of([[0], [1]]), SequenceLinearSettings())
    np.testing.assert_array_equal(model.scores(Queries.of([[0]])), [[0, 0]])
