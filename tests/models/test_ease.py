from __future__ import annotations

import numpy as np
import pytest

from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of, generated
from longtale.models.ease import EASE, EASESettings
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
