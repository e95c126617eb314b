from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.arrays import unit_rows
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of
from longtale.errors import DataError
from longtale.models.semantic import SemanticRetriever, SemanticSettings
from longtale.seeds import generator


def fitted(vectors, **settings) -> SemanticRetriever:
    vectors = unit_rows(np.array(vectors, dtype=np.float32))
    dataset = dataset_of([[]], n_items=len(vectors))
    return SemanticRetriever.fit(dataset, SemanticSettings(**settings), vectors)


@pytest.fixture
def vectors():
    return generator(0, "semantic").normal(size=(12, 5))


def spoken(queries: Queries, words) -> Queries:
    return replace(queries, text_vectors=unit_rows(np.array(words, dtype=np.float32)))


def test_scores_equal_the_formula(vectors):
    model = fitted(vectors, temperature=0.3, half_life=2, n_last=3, profile_length=6)
    e = model.columns.T.astype(float)
    history = [4, 1, 7, 9]
    profile = e[history].mean(axis=0)
    gamma = 4 / (4 + 6)
    expected = []
    for item in range(12):
        cosines = e[history[-3:]] @ e[item]
        logits = cosines / 0.3 - np.log(2) / 2 * np.array([2, 1, 0])
        attention = np.exp(logits) / np.exp(logits).sum()
        lasting = e[item] @ profile / np.linalg.norm(profile)
        expected.append((1 - gamma) * attention @ cosines + gamma * lasting)
    np.testing.assert_allclose(model.scores(Queries.of([history]))[0], expected, rtol=1e-4)


def test_words_alone_are_compared_with_every_item(vectors):
    model = fitted(vectors)
    queries = spoken(Queries.of([[]]), [[1, 2, 3, 4, 5]])
    np.testing.assert_allclose(
        model.scores(queries)[0], model.columns.T @ queries.text_vectors[0], rtol=1e-5
    )


def test_words_say_less_the_longer_the_history(vectors):
    model = fitted(vectors, kappa=2)
    for history, beta in (([3], 1 / 3), ([3, 3, 3, 3], 2 / 3)):
        silent = Queries.of([history])
        queries = spoken(silent, [[1, 2, 3, 4, 5]])
        by_words = model.columns.T @ queries.text_vectors[0]
        expected = beta * model.scores(silent)[0] + (1 - beta) * by_words
        np.testing.assert_allclose(model.scores(queries)[0], expected, rtol=1e-4, atol=1e-6)


def test_a_zero_row_of_words_says_nothing(vectors):
    model = fitted(vectors)
    queries = spoken(Queries.of([[3], []]), np.zeros((2, 5)))
    np.testing.assert_array_equal(model.scores(queries), model.scores(Queries.of([[3], []])))


def test_item_without_text_has_no_score_and_says_nothing(vectors):
    vectors[2] = 0
    scores = fitted(vectors).scores(Queries.of([[2, 3], [3], [2]]))
    assert np.isnan(scores[:, 2]).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.isnan(scores[2]).all()


def test_a_new_item_is_found_at_once_by_its_vector(vectors):
    model = fitted(vectors)
    twin = np.vstack([model.columns.T, model.columns.T[3]])
    scores = model.with_vectors(twin).scores(Queries.of([[3]]))
    assert scores.shape == (1, 13)
    assert scores[0, 12] == pytest.approx(1, abs=1e-6)


def test_attention_meets_each_candidate_with_the_nearest_side_of_the_taste():
    sides = [[1, 0], [0, 1], [1, 0.1], [1, 1]]
    both = Queries.of([[0, 1]])
    usual = {"half_life": 100, "profile_length": 100}
    scores = fitted(sides, temperature=0.05, **usual).scores(both)[0]
    mean = fitted(sides, temperature=100, **usual).scores(both)[0]
    assert scores[2] > scores[3]
    assert mean[2] < mean[3]


def test_one_vector_for_each_item_is_demanded(vectors):
    with pytest.raises(DataError, match="12 vectors for 3 items"):
        SemanticRetriever.fit(dataset_of([[0, 1, 2]]), SemanticSettings(), np.float32(vectors))


def test_who_only_says_something_is_imagined_to_have_chosen_what_suits_the_words(vectors):
    model = fitted(vectors)
    words = np.zeros((3, 5))
    words[1:] = vectors[7]
    queries = spoken(Queries.of([[], [], [3]]), words)
    told = model.imagined(queries)
    assert told.histories.lengths.tolist() == [0, 5, 1]
    near = np.argsort(unit_rows(vectors.astype(np.float32)) @ queries.text_vectors[1])
    assert told.histories.items.tolist() == [*near[-5:].tolist(), 3]
    assert near[-1] == 7


def test_imagined_choices_are_made_now_and_others_keep_their_times(vectors):
    histories = Histories.of([[], [3]])
    histories = replace(histories, times=np.array([11]))
    queries = Queries(np.array([-1, -1]), histories, times=np.array([20, 30]))
    told = fitted(vectors).imagined(spoken(queries, [vectors[7], vectors[7]]))
    assert told.histories.times.tolist() == [20] * 5 + [11]


def test_without_words_nothing_is_imagined(vectors):
    queries = Queries.of([[], [3]])
    assert fitted(vectors).imagined(queries) is queries


@pytest.mark.parametrize("history", [[4, 1, 7, 9], []])
def test_the_score_is_the_product_with_what_an_item_is_compared_with(vectors, history):
    model = fitted(vectors, n_last=3)
    queries = spoken(Queries.of([history]), [[1, 2, 3, 4, 5]])
    found = [model.columns[:, item] @ model.direction(queries, item) for item in range(12)]
    np.testing.assert_allclose(found, model.scores(queries)[0], rtol=1e-5)


def test_a_request_that_says_nothing_is_compared_with_nothing(vectors):
    assert fitted(vectors).direction(Queries.of([[]]), 3) is None
