"""Calibration against its formula written out, and the example of Steck (2018)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.candidates import Candidates
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.rank.calibrated import Calibrated, CalibratedSettings, group_distributions
from longtale.rank.groups import joined, n_groups, shares
from longtale.rank.rerank import relevance
from longtale.seeds import generator

DRAMA, COMEDY = 0, 1


def test_seven_dramas_and_three_comedies_of_ten_where_that_is_the_taste():
    codes = np.array([[DRAMA]] * 40 + [[COMEDY]] * 40, dtype=np.int32)
    seen = [*range(28), *range(40, 52)]  # 70 % dramas
    others = [*range(28, 40), *range(52, 64)]  # all dramas score above all comedies
    scores = np.linspace(2, 1, len(others), dtype=np.float32)[None]
    candidates = Candidates(np.array([others], dtype=np.int32), scores)
    reranker = Calibrated.of(codes, CalibratedSettings(strength=0.99))
    slate = reranker.rerank(Queries.of([seen]), candidates, 10).items[0]
    assert (slate < 40).sum() == 7


def objective(
    items: list[int],
    worth: dict[int, float],
    history: list[int],
    codes: np.ndarray,
    settings: CalibratedSettings,
) -> float:
    def distribution(items: list[int]) -> np.ndarray:
        totals = np.zeros(n_groups(codes))
        for item in items:
            own = [code for code in codes[item] if code >= 0]
            for code in own:
                totals[code] += 1 / len(own)
        return totals

    counts = distribution(history)
    wanted = counts / max(counts.sum(), 1e-12)
    mixed = (1 - settings.smoothing) * distribution(items) / len(items)
    mixed += settings.smoothing * wanted
    known = wanted > 0
    kl = (wanted[known] * np.log(wanted[known] / mixed[known])).sum()
    return (1 - settings.strength) * sum(worth[i] for i in items) - settings.strength * kl


@given(st.integers(0, 2**20), st.floats(0, 1), st.floats(0.01, 0.5))
def test_each_choice_is_the_best_by_the_formula_written_out(seed, strength, smoothing):
    rng = generator(seed, "calibrated")
    codes = np.sort(rng.integers(-1, 4, size=(20, 2), dtype=np.int32))
    codes[codes[:, 0] == codes[:, 1], 0] = -1
    history = rng.integers(20, size=rng.integers(1, 9)).tolist()
    scores = -np.sort(-rng.normal(size=(1, 8)).astype(np.float32))
    candidates = Candidates(rng.permutation(20).astype(np.int32)[None, :8], scores)
    settings = CalibratedSettings(strength=strength, smoothing=smoothing)
    found = Calibrated.of(codes, settings).rerank(Queries.of([history]), candidates, 5)
    slate, given_items = found.items[0].tolist(), candidates.items[0].tolist()
    worth = dict(zip(given_items, relevance(candidates)[0].tolist(), strict=True))
    for n, item in enumerate(slate):
        reached = {
            other: objective([*slate[:n], other], worth, history, codes, settings)
            for other in given_items
            if other not in slate[:n]
        }
        assert reached[item] >= max(reached.values()) - 1e-9


@pytest.mark.parametrize("history", [[], [2]])
def test_who_has_no_history_with_groups_keeps_the_order(history):
    codes = np.int32([[0], [1], [-1]])
    candidates = Candidates(np.int32([[1, 0]]), np.float32([[2, 1]]))
    reranker = Calibrated.of(codes, CalibratedSettings(strength=1))
    assert reranker.rerank(Queries.of([history]), candidates, 2).items.tolist() == [[1, 0]]


def test_distribution_weighs_events_and_splits_items_of_several_groups():
    parts = shares(np.int32([[0, 1], [1, -1], [-1, -1]]))
    histories = Histories.of([[0, 1, 2], [2], [1, 9]])
    histories.weights[:2] = [2, 3]
    found = group_distributions(histories, parts).toarray()
    np.testing.assert_allclose(found, [[0.2, 0.8], [0, 0], [0, 1]])


def test_event_that_takes_interest_away_does_not_count():
    histories = Histories.of([[0, 1]])
    histories.weights[1] = -1
    found = group_distributions(histories, shares(np.int32([[0], [1]]))).toarray()
    assert found.tolist() == [[1, 0]]


def test_columns_of_groups_are_joined_with_numbers_of_their_own():
    both = joined([np.int32([[0, 1], [2, -1]]), np.int32([[1], [0]])])
    assert both.tolist() == [[0, 1, 4], [2, -1, 3]]
    assert n_groups(both) == 5
