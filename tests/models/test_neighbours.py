from __future__ import annotations

import numpy as np
import pytest

from longtale.data.arrivals import Arrivals, appended
from longtale.data.forgetting import without_user
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of, generated
from longtale.models import item_knn
from longtale.models.item_knn import ItemKNN, ItemKNNSettings
from longtale.models.user_knn import UserKNN, UserKNNSettings
from longtale.seeds import generator


@pytest.fixture(scope="module")
def dataset():
    return generated(generator(0, "neighbours"), 80, 30, 600)


def slow_bm25(counts, k1, b):
    """Weigh items (rows) as documents and users (columns) as words."""
    idf = np.log(len(counts)) - np.log1p((counts > 0).sum(axis=0))
    lengths = counts.sum(axis=1, keepdims=True)
    norms = 1 - b + b * lengths / lengths.mean()
    return counts * (k1 + 1) / (k1 * norms + counts) * idf


def test_item_similarity_is_bm25(dataset):
    model = ItemKNN.fit(dataset, ItemKNNSettings(neighbours=30, k1=1.2, b=0.5))
    weighted = slow_bm25(dataset.matrix().toarray().T, 1.2, 0.5)
    expected = weighted @ weighted.T
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.weights.matrix.toarray(), expected, rtol=1e-4, atol=1e-5)


def test_item_keeps_only_its_nearest_neighbours(dataset):
    full = ItemKNN.fit(dataset, ItemKNNSettings(neighbours=30)).weights.matrix.toarray()
    pruned = ItemKNN.fit(dataset, ItemKNNSettings(neighbours=3)).weights.matrix.toarray()
    assert (np.count_nonzero(pruned, axis=1) <= 3).all()
    nearest = np.sort(full, axis=1)[:, ::-1][:, :3].sum(axis=1)
    np.testing.assert_allclose(pruned.sum(axis=1), nearest, rtol=1e-5)


def test_item_is_no_neighbour_of_itself(dataset):
    model = ItemKNN.fit(dataset, ItemKNNSettings())
    assert not model.weights.matrix.diagonal().any()


@pytest.mark.parametrize("neighbours", [30, 4])
def test_touched_items_find_their_neighbours_as_in_a_fit(dataset, monkeypatch, neighbours):
    monkeypatch.setattr(item_knn, "_MANY", 1.0)
    settings = ItemKNNSettings(neighbours=neighbours, b=0.5)
    events = Arrivals.of([3, 3, 9], [5, 6, 5], times=[10**18] * 3)
    later = appended(dataset, events)
    model = ItemKNN.fit(dataset, settings).updated(later, events)
    found, fitted = (m.weights.matrix.toarray() for m in (model, ItemKNN.fit(later, settings)))
    np.testing.assert_allclose(found[[5, 6]], fitted[[5, 6]], rtol=1e-4)
    both = (found != 0) & (fitted != 0)
    np.testing.assert_allclose(
        found[:, [5, 6]][both[:, [5, 6]]], fitted[:, [5, 6]][both[:, [5, 6]]], rtol=1e-4
    )
    assert np.mean((found != 0) == (fitted != 0)) > 0.98


def test_many_touched_items_are_fitted_anew(dataset):
    events = Arrivals.of([3] * 12, range(12), times=[10**18] * 12)
    later = appended(dataset, events)
    model = ItemKNN.fit(dataset, ItemKNNSettings()).updated(later, events)
    fitted = ItemKNN.fit(later, ItemKNNSettings())
    np.testing.assert_array_equal(model.weights.matrix.toarray(), fitted.weights.matrix.toarray())


def test_user_scores_equal_those_of_all_pairs(dataset):
    settings = UserKNNSettings(neighbours=80, idf=0.5, sharpness=2, half_life=None)
    users = np.arange(10)
    found = UserKNN.fit(dataset, settings).scores(Queries(users, dataset.histories(users)))

    liked = (dataset.matrix().toarray() > 0).astype(float)
    counts = liked.sum(axis=0)
    weighted = liked * np.log1p(len(liked) / np.maximum(counts, 1)) ** 0.5
    unit = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
    similar = (unit[:10] @ unit.T) ** 2
    expected = similar @ liked
    expected[:, counts == 0] = np.nan
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_nearest_user_decides():
    dataset = dataset_of([[0, 1, 2], [0, 4, 5], [0, 4, 6]])
    model = UserKNN.fit(dataset, UserKNNSettings(neighbours=1))
    scores = model.scores(Queries.of([[0, 1]]))[0]
    assert np.flatnonzero(scores > 0).tolist() == [0, 1, 2]


def test_without_a_user_the_scores_are_those_of_a_fit_that_never_saw_them(dataset):
    settings = UserKNNSettings(neighbours=80)
    left = UserKNN.fit(dataset, settings).without_user(3)
    fitted = UserKNN.fit(without_user(dataset, 3), settings)
    queries = Queries(np.arange(10), dataset.histories(np.arange(10)))
    np.testing.assert_allclose(left.scores(queries), fitted.scores(queries), rtol=1e-5)
    for name, array in left.state().items():
        np.testing.assert_array_equal(array, fitted.state()[name])


def test_who_is_let_go_of_is_nobodys_neighbour():
    dataset = dataset_of([[0, 1], [0, 1, 2], [0, 1, 3]])
    model = UserKNN.fit(dataset, UserKNNSettings())
    ask = Queries.of([[0, 1]])
    assert model.scores(ask)[0][2] > 0
    left = model.without_user(1)
    assert np.isnan(left.scores(ask)[0][2]), "nobody else liked it"
    assert left.scores(ask)[0][3] > 0
    assert model.scores(ask)[0][2] > 0, "the old one is as it was"
