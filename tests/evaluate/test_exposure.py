"""Shares of attention and merit counted by hand, and the price of moving attention."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from longtale.data.interactions import Histories
from longtale.evaluate import exposure
from longtale.evaluate.accuracy import ndcg, target_ranks
from longtale.seeds import generator

PARTS = sparse.csr_array(np.array([[1, 0], [0, 1], [0.5, 0.5], [0, 0]]))
SHARES = arrays("f8", 4, elements=st.floats(0.01, 1)).map(lambda x: x / x.sum())


def test_attention_falls_with_the_rank_and_splits_over_groups():
    found = exposure.exposure_shares(np.int32([[0, 2, 3], [1, -1, -1]]), PARTS)
    second = 1 / np.log2(3)
    expected = np.array([1 + second / 2, 1 + second / 2]) / (2 + second)
    np.testing.assert_allclose(found, expected)


def test_nothing_shown_has_no_shares():
    assert np.isnan(exposure.exposure_shares(np.int32([[3, -1]]), PARTS)).all()


def test_merit_is_what_was_wanted():
    targets = Histories.of([[0, 2], [0], [3]])
    merit = exposure.merit_shares(exposure.wanted(targets, 4), PARTS)
    np.testing.assert_allclose(merit, [2.5 / 3, 0.5 / 3])


def test_all_attention_on_a_group_that_merits_nothing_is_full_inequity():
    assert exposure.inequity(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


@given(SHARES, SHARES)
def test_inequity_is_the_attention_that_has_to_move(first, second):
    assert exposure.inequity(first, second) == pytest.approx(np.maximum(first - second, 0).sum())
    assert exposure.inequity(first, first) == 0


def test_exposure_per_merit_has_no_value_without_merit():
    found = exposure.exposure_per_merit(np.array([0.5, 0.5]), np.array([0.25, 0.0]))
    np.testing.assert_array_equal(found, [2.0, np.nan])


def test_ranks_in_lists_are_those_of_the_full_ranking_down_to_k():
    rng = generator(0, "exposure")
    scores = rng.normal(size=(9, 20)).astype(np.float32)
    targets = Histories.of([rng.permutation(20)[: b % 4].tolist() for b in range(9)])
    lists = np.argsort(-scores, axis=1)[:, :5].astype(np.int32)
    np.testing.assert_array_equal(
        ndcg(exposure.ranks_in_lists(lists, targets), 5), ndcg(target_ranks(scores, targets), 5)
    )


def test_price_of_a_fairer_list_that_misses_what_was_wanted():
    before, after = np.int32([[0], [0]] * 20), np.int32([[0], [1]] * 20)
    targets = Histories.of([[0], [0]] * 20)
    rng = generator(0, "price")
    found = exposure.price(before, after, targets, PARTS, np.array([0.5, 0.5]), rng=rng)
    assert (found.before, found.after) == (1.0, 0.5)
    assert found.test.difference == -0.5
    assert (found.inequity_before, found.inequity_after) == (0.5, 0.0)
