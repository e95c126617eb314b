"""Floors of exposure: kept over many users, and no dearer than they must be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.rank.fairness import (
    FairExposure,
    FairExposureSettings,
    attention,
    exposures,
)
from longtale.rank.groups import shares
from longtale.rank.rerank import relevance
from longtale.seeds import generator

RICH, POOR = 0, 1
CODES = np.int32([[RICH]] * 10 + [[POOR]] * 10)


def rule(
    strength: float, due: tuple[float, float] = (0.6, 0.4), floor: float = 1.0
) -> FairExposure:
    settings = FairExposureSettings(strength=strength, floor=floor)
    return FairExposure.of(CODES, np.array(due), settings)


def requests(n: int) -> tuple[Queries, Candidates]:
    """Rich items score a little above poor ones for everybody."""
    rng = generator(0, "fairness")
    scores = rng.normal(size=(n, 20)) + np.where(np.arange(20) < 10, 1.0, 0.0)
    items = np.argsort(-scores, axis=1).astype(np.int32)
    ordered = np.take_along_axis(scores, items, axis=1).astype(np.float32)
    return Queries.of([[]] * n), Candidates(items, ordered)


def shares_of(slate: Candidates) -> np.ndarray:
    found = exposures(slate.items, shares(CODES))
    return found / found.sum()


@pytest.mark.parametrize("floor", [0.5, 0.9, 1.0])
def test_floor_is_kept_over_many_users(floor):
    queries, candidates = requests(200)
    due = (0.2, 0.8)
    slate, _ = rule(1.0, due, floor).amortised(queries, candidates, 5)
    assert (shares_of(slate) >= floor * np.array(due) - 0.005).all()


def test_more_strength_moves_more_attention_to_who_lacks_it():
    queries, candidates = requests(200)
    poor = [
        shares_of(rule(s, (0.2, 0.8)).amortised(queries, candidates, 5)[0])[POOR]
        for s in (0.0, 0.2, 0.5, 1.0)
    ]
    assert (np.diff(poor) > 0.02).all()


def test_choice_equals_the_formula_written_out():
    queries, candidates = requests(5)
    served = replace(rule(0.4, (0.3, 0.7), 0.8), given=np.array([9.0, 3.0]))
    slate = served.rerank(queries, candidates, 6)
    for b, shown in enumerate(slate.items.tolist()):
        worth = dict(zip(candidates.items[b].tolist(), relevance(candidates)[b], strict=True))
        exposure = np.array([9.0, 3.0])
        for place, item in enumerate(shown):
            floors = 0.8 * np.array([0.3, 0.7]) * (exposure.sum() + attention(6)[place])
            need = np.maximum(0, 1 - exposure / floors)
            reached = {i: 0.6 * r + 0.8 * need[CODES[i, 0]] for i, r in worth.items()}
            assert reached.pop(item) >= max(reached.values()) - 1e-12
            worth.pop(item)
            exposure[CODES[item, 0]] += attention(6)[place]


def test_without_a_floor_the_poor_get_less_than_is_due():
    _, candidates = requests(200)
    first = Candidates(candidates.items[:, :5], candidates.scores[:, :5])
    assert shares_of(first)[POOR] < 0.3


def test_floor_that_is_met_anyway_moves_nothing():
    queries, candidates = requests(50)
    served = replace(rule(1.0, (0.9, 0.1), floor=0.5), given=np.array([50.0, 50.0]))
    slate, _ = served.amortised(queries, candidates, 1)
    np.testing.assert_array_equal(slate.items, candidates.items[:, :1])


def test_amortised_answers_equal_request_after_request():
    queries, candidates = requests(6)
    together, after = rule(0.9).amortised(queries, candidates, 4)
    now = rule(0.9)
    for b in range(6):
        one = Candidates(candidates.items[[b]], candidates.scores[[b]])
        slate = now.rerank(queries.take(np.array([b])), one, 4)
        np.testing.assert_array_equal(slate.items, together.items[[b]])
        now = now.after(slate)
    np.testing.assert_allclose(now.given, after.given)


def test_rule_itself_stays_as_it_was():
    queries, candidates = requests(3)
    fixed = rule(0.9)
    fixed.amortised(queries, candidates, 4)
    assert not fixed.given.any()


def test_group_that_is_behind_gets_its_best_item_first():
    candidates = Candidates(np.int32([[1, 2, 11, 12]]), np.float32([[4, 3, 2, 1]]))
    owing = FairExposure.of(CODES, np.array([0.5, 0.5]), FairExposureSettings(strength=1))
    shown_rich = Candidates(np.int32([[0]]), np.float32([[1]]))
    slate = owing.after(shown_rich).rerank(Queries.of([[]]), candidates, 3)
    assert slate.items.tolist() == [[11, 1, 12]]


def test_group_without_candidates_holds_nothing_up():
    candidates = Candidates(np.int32([[1, 2]]), np.float32([[4, 3]]))
    slate = rule(1.0, (0.1, 0.9)).rerank(Queries.of([[]]), candidates, 2)
    assert slate.items.tolist() == [[1, 2]]


def test_exposure_of_an_item_of_two_groups_is_split():
    parts = shares(np.int32([[0, 1], [1, -1], [-1, -1]]))
    found = exposures(np.int32([[0, 1, 2], [1, -1, -1]]), parts)
    first, second, _ = attention(3)
    np.testing.assert_allclose(found, [first / 2, first / 2 + second + first])


def test_nobody_asks_and_nothing_changes():
    queries, candidates = requests(1)
    none = Candidates(candidates.items[:0], candidates.scores[:0])
    slate, after = rule(0.9).amortised(queries.take(np.array([], dtype=np.int64)), none, 4)
    assert slate.items.shape == (0, 4)
    assert not after.given.any()


@pytest.mark.parametrize("due", [np.ones(3), np.zeros(2), np.array([-1.0, 2.0])])
def test_what_is_due_must_be_shares_of_the_groups(due):
    with pytest.raises(DataError, match="for each of 2 groups"):
        FairExposure.of(CODES, due, FairExposureSettings())
