from __future__ import annotations

import numpy as np
import pytest

from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of, generated
from longtale.models.closed_form import near_gram
from longtale.models.ease import EASE, EASESettings
from longtale.models.linear import propensity_weights
from longtale.seeds import generator


@pytest.fixture(scope="module", params=[80, 12], ids=["many users", "few users"])
def dataset(request):
    return generated(generator(0, "ease"), request.param, 30, 600)


def slow_ease(liked, l2):
    """Solve column by column: ridge regression of each item on all the others."""
    n_items = liked.shape[1]
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        X = liked[:, others]
        gram = X.T @ X + l2 * np.eye(n_items - 1)
        weights[others, item] = np.linalg.solve(gram, X.T @ liked[:, item])
    return weights


def test_weights_equal_a_ridge_regression_of_each_item_on_the_others(dataset):
    model = EASE.fit(dataset, EASESettings(l2=5))
    liked = (dataset.matrix().toarray() > 0).astype(float)
    expected = slow_ease(liked, 5)
    known = dataset.item_counts > 0
    np.testing.assert_allclose(
        model.weights.matrix.toarray()[np.ix_(known, known)],
        expected[np.ix_(known, known)],
        atol=1e-5,
    )


def test_near_events_count_more_than_distant_ones():
    dataset = dataset_of([[0, 1, 2, 3, 4, 5]])
    gram = near_gram(dataset.interactions.histories, 6, 2.0).toarray()
    np.testing.assert_allclose(np.diag(gram), 1, rtol=1e-5)
    np.testing.assert_allclose(gram[0], 2 ** (-np.arange(6) / 2), atol=0.02)
    np.testing.assert_array_equal(gram, gram.T)


@pytest.mark.parametrize("half_life", [0.5, 3.0, 30.0])
def test_nearness_never_has_negative_eigenvalues(dataset, half_life):
    gram = near_gram(dataset.interactions.histories, dataset.n_items, half_life).toarray()
    assert np.linalg.eigvalsh(gram.astype(np.float64)).min() > -1e-3


def test_weights_under_nearness_are_those_of_its_gram(dataset):
    model = EASE.fit(dataset, EASESettings(l2=5, nearness=2))
    known = dataset.item_counts > 0
    gram = near_gram(dataset.interactions.histories, dataset.n_items, 2.0).toarray()
    inverse = np.linalg.inv(gram[np.ix_(known, known)] + 5 * np.eye(known.sum()))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    found = model.weights.matrix.toarray()[np.ix_(known, known)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_tail_multiplies_each_item_s_score_by_its_propensity_weight(dataset):
    usual = EASE.fit(dataset, EASESettings(l2=5))
    lifted = EASE.fit(dataset, EASESettings(l2=5, tail=0.7))
    queries = Queries.of([[1, 2], [3]])
    weights = propensity_weights(dataset.item_counts, 0.7)
    np.testing.assert_allclose(
        lifted.scores(queries), usual.scores(queries) * weights, rtol=1e-4, atol=1e-6
    )


def test_score_adds_up_the_weights_of_the_history(dataset):
    model = EASE.fit(dataset, EASESettings(l2=5, half_life=None))
    known = np.flatnonzero(model.weights.known)
    history = known[:3].tolist()
    expected = model.weights.matrix.toarray()[history].sum(axis=0)
    found = model.scores(Queries.of([history]))[0]
    np.testing.assert_allclose(found[known], expected[known], atol=1e-6)


def test_each_item_keeps_its_strongest_weights(dataset):
    full = EASE.fit(dataset, EASESettings(l2=5)).weights.matrix.toarray()
    pruned = EASE.fit(dataset, EASESettings(l2=5, kept=4)).weights.matrix.toarray()
    assert (np.count_nonzero(pruned, axis=0) <= 4).all()
    strongest = np.sort(np.abs(full), axis=0)[::-1][:4].sum(axis=0)
    np.testing.assert_allclose(np.abs(pruned).sum(axis=0), strongest, rtol=1e-5)


def test_only_the_most_popular_items_take_part():
    dataset = dataset_of([[0, 1, 2], [0, 1], [0, 1]])
    model = EASE.fit(dataset, EASESettings(l2=1, max_items=2))
    scores = model.scores(Queries.of([[0], [2]]))
    np.testing.assert_array_equal(np.isnan(scores), [[False, False, True], [True, True, True]])
