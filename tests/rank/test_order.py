from __future__ import annotations

import numpy as np
import pytest

from longtale.rank.order import bootstrap_difference, ndcg, places

OFFSETS = np.array([0, 3, 3, 7])


def test_places_are_those_within_each_request():
    scores = np.array([1, 3, 2, 0, 5, 5, 9], dtype=np.float32)
    assert places(scores, OFFSETS).tolist() == [2, 0, 1, 3, 1, 2, 0]


def test_ndcg_is_that_of_its_definition():
    is_target = np.array([False, True, False, True, False, False, True])
    ranks = np.array([0, 1, 2, 3, 1, 2, 0])
    reached = ndcg(ranks, is_target, OFFSETS, np.array([1, 1, 3]), 2)
    assert reached[0] == pytest.approx(1 / np.log2(3))
    assert reached[1] == 0
    assert reached[2] == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_interval_is_that_of_drawing_all_requests():
    rng = np.random.default_rng(0)
    gains = np.where(rng.random(400) < 0.2, rng.normal(0.1, 0.3, 400), 0)
    found = bootstrap_difference(gains, rng=rng, n_bootstrap=4000)
    drawn = rng.choice(gains, size=(4000, 400)).mean(axis=1)
    assert found.mean == pytest.approx(gains.mean())
    assert found.low == pytest.approx(np.quantile(drawn, 0.025), abs=1e-3)
    assert found.high == pytest.approx(np.quantile(drawn, 0.975), abs=1e-3)
    assert found.n == 400


def test_no_gain_anywhere_is_no_difference():
    found = bootstrap_difference(np.zeros(50), rng=np.random.default_rng(0))
    assert (found.mean, found.low, found.high) == (0, 0, 0)
