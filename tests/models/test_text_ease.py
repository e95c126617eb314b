from __future__ import annotations

import numpy as np
import pytest

from longtale.arrays import unit_rows
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of, generated
from longtale.errors import DataError
from longtale.models.text_ease import TextEASE, TextEASESettings
from longtale.seeds import generator

SETTINGS = TextEASESettings(l2=3, text=8, text_l2=0.7, nearness=None)
N_ITEMS, N_COLD, WIDTH = 30, 4, 6


@pytest.fixture(scope="module", params=[80, 12], ids=["many users", "few users"])
def dataset(request):
    dataset = generated(generator(0, "text ease"), request.param, N_ITEMS, 600)
    return dataset.with_interactions(dataset.interactions.items >= N_COLD)


@pytest.fixture(scope="module")
def vectors():
    return random_vectors(N_ITEMS)


def random_vectors(n_items):
    drawn = generator(1, "text ease").normal(size=(n_items, WIDTH)).astype(np.float32)
    drawn[N_COLD + 1] = 0  # an item without text
    return unit_rows(drawn)


def slow_ridge(inputs, outputs, l2, prior):
    """Explain each column by all the others, drawn towards a prior, one by one."""
    n_items = inputs.shape[1]
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        X = inputs[:, others]
        gram = X.T @ X + (l2 + prior[0]) * np.eye(n_items - 1)
        wanted = X.T @ outputs[:, item] + prior[0] * prior[1][others, item]
        weights[others, item] = np.linalg.solve(gram, wanted)
    return weights


def slow_weights(dataset, vectors, settings):
    F = vectors.astype(np.float64).T
    nothing = np.zeros((F.shape[1], F.shape[1]))
    by_text = slow_ridge(F, F, settings.text_l2, (0, nothing))
    liked = (dataset.matrix().toarray() > 0).astype(np.float64)
    return slow_ridge(liked, liked, settings.l2, (settings.text, by_text))


def all_weights(model):
    every = np.arange(len(model.rows))
    return model.evidence(every, every)


def test_weights_equal_a_ridge_regression_that_is_drawn_towards_that_of_the_texts(dataset, vectors):
    model = TextEASE.fit(dataset, SETTINGS, vectors)
    np.testing.assert_allclose(
        all_weights(model), slow_weights(dataset, vectors, SETTINGS), atol=2e-5
    )


def test_scores_add_up_the_evidence(dataset, vectors):
    model = TextEASE.fit(dataset, SETTINGS.model_copy(update={"half_life": None}), vectors)
    history = [1, 7, 9]  # the first of them is cold
    expected = model.evidence(np.array(history), np.arange(N_ITEMS)).sum(axis=0)
    np.testing.assert_allclose(model.scores(Queries.of([history]))[0], expected, atol=1e-5)


def test_strong_text_outweighs_behaviour(dataset, vectors):
    strong = TextEASE.fit(dataset, SETTINGS.model_copy(update={"text": 1e6}), vectors)
    by_text = slow_weights(
        dataset.with_interactions(dataset.interactions.items < 0),
        vectors,
        SETTINGS.model_copy(update={"text": 1e6}),
    )
    np.testing.assert_allclose(all_weights(strong), by_text, atol=1e-3)


def test_items_beyond_the_most_popular_are_answered_from_text(dataset, vectors):
    few = TextEASE.fit(dataset, SETTINGS.model_copy(update={"max_items": 5}), vectors)
    popular = np.argsort(-dataset.item_counts, kind="stable")[:5]
    only = dataset.with_interactions(np.isin(dataset.interactions.items, popular))
    expected = slow_weights(only, vectors, SETTINGS)
    np.testing.assert_allclose(all_weights(few), expected, atol=2e-5)


def test_item_without_events_and_text_gets_no_score(dataset, vectors):
    silenced = vectors.copy()
    silenced[0] = 0
    scores = TextEASE.fit(dataset, SETTINGS, silenced).scores(Queries.of([[7, 9], [0]]))
    assert np.isnan(scores[0]).nonzero()[0].tolist() == [0]
    assert np.isnan(scores[1]).all()


def test_added_items_are_scored_at_once_as_if_fitted(dataset):
    n_old, n_all = 300, 310
    vectors = unit_rows(generator(2, "text ease").normal(size=(n_all, WIDTH)).astype(np.float32))
    histories = [dataset.histories(np.array([u])).items.tolist() for u in range(dataset.n_users)]
    old = TextEASE.fit(dataset_of(histories, n_items=n_old), SETTINGS, vectors[:n_old])
    grown = all_weights(old.with_vectors(vectors))
    whole = all_weights(TextEASE.fit(dataset_of(histories, n_items=n_all), SETTINGS, vectors))
    for rows, columns in ((slice(n_old), slice(n_old, n_all)), (slice(n_old, n_all), slice(None))):
        tolerance = 0.1 * np.abs(whole[rows, columns]).max()
        np.testing.assert_allclose(grown[rows, columns], whole[rows, columns], atol=tolerance)
    np.testing.assert_array_equal(grown[:n_old, :n_old], all_weights(old))


def test_one_added_item_is_spoken_for_exactly_as_if_fitted(dataset, vectors):
    more = np.vstack([vectors, random_vectors(N_ITEMS + 1)[-1:]])
    histories = [dataset.histories(np.array([u])).items.tolist() for u in range(dataset.n_users)]
    grown = TextEASE.fit(dataset, SETTINGS, vectors).with_vectors(more)
    whole = TextEASE.fit(dataset_of(histories, n_items=N_ITEMS + 1), SETTINGS, more)
    np.testing.assert_allclose(all_weights(grown)[:, -1], all_weights(whole)[:, -1], atol=1e-5)


def test_fewer_vectors_than_items_are_refused(dataset, vectors):
    with pytest.raises(DataError, match="29 vectors for 30 items"):
        TextEASE.fit(dataset, SETTINGS, vectors[1:])
    with pytest.raises(DataError, match="29 vectors for 30 fitted items"):
        TextEASE.fit(dataset, SETTINGS, vectors).with_vectors(vectors[1:])
