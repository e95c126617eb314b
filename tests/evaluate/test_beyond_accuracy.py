"""Each metric of lists against a hand's or a slow obvious count."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.evaluate import beyond_accuracy as beyond


def lists(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int32)


def test_exposure_counts_the_lists_and_not_the_padding():
    assert beyond.exposures(lists([0, 2], [2, -1]), 4).tolist() == [1, 0, 2, 0]


def test_coverage_is_the_share_of_items_that_anyone_sees():
    assert beyond.coverage(np.array([1, 0, 2, 0])) == 0.5


def test_gini_of_equal_attention_is_zero():
    assert beyond.gini(np.array([3, 3, 3])) == 0.0


def test_gini_of_all_attention_on_one_of_four_is_three_quarters():
    assert beyond.gini(np.array([0, 8, 0, 0])) == pytest.approx(0.75)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any))
def test_gini_equals_half_the_relative_mean_difference(exposure):
    counts = np.array(exposure)
    slow = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert beyond.gini(counts) == pytest.approx(slow)


def test_gini_of_no_attention_is_none():
    assert np.isnan(beyond.gini(np.zeros(3, dtype=np.int64)))


def test_novelty_counts_bits_of_surprise_among_active_users():
    n_consumers = np.array([8, 2, 0])  # of 8 users: 0 bits, 2 bits, and as if one user: 3 bits
    found = beyond.novelty(lists([0, 1], [2, -1]), n_consumers, 8)
    assert found.tolist() == [1.0, 3.0]


def test_popularity_is_the_mean_number_of_interactions():
    assert beyond.popularity(lists([0, 1], [1, -1]), np.array([10, 4])).tolist() == [7.0, 4.0]


def test_tail_share_is_the_share_of_the_items_listed():
    is_tail = np.array([True, False, True])
    assert beyond.tail_share(lists([0, 1], [2, -1]), is_tail).tolist() == [0.5, 1.0]


def test_empty_list_has_no_value():
    empty = lists([-1, -1])
    assert np.isnan(beyond.popularity(empty, np.array([1]))).all()
    assert np.isnan(beyond.diversity(empty, np.ones((1, 2), dtype=np.float32))).all()


def test_diversity_equals_one_minus_the_mean_cosine_of_all_pairs():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 5)).astype(np.float32)
    items = rng.permuted(np.tile(np.arange(30, dtype=np.int32), (6, 1)), axis=1)[:, :7]
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    slow = [1 - np.mean([units[i] @ units[j] for i, j in combinations(row, 2)]) for row in items]
    np.testing.assert_allclose(beyond.diversity(items, vectors), slow, atol=1e-6)


def test_diversity_leaves_out_items_without_a_vector_and_padding():
    vectors = np.array([[2, 0], [0, 1], [0, 0]], dtype=np.float32)
    found = beyond.diversity(lists([0, 1, 2], [0, 1, -1], [0, 2, -1]), vectors)
    np.testing.assert_allclose(found, [1.0, 1.0, np.nan])


def test_diversity_is_the_same_for_more_lists_than_fit_at_once(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((9, 3)).astype(np.float32)
    items = np.tile(np.arange(3, dtype=np.int32), (5, 1)) + np.arange(5, dtype=np.int32)[:, None]
    whole = beyond.diversity(items, vectors)
    monkeypatch.setattr(beyond, "_CHUNK", 2)
    np.testing.assert_array_equal(beyond.diversity(items, vectors), whole)
