"""Settings that refuse what there is not, and names that stay."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluate.worlds import BANDS, ranks_at, small_fold

from longtale.errors import SettingsError
from longtale.evaluate.measures import (
    METRICS,
    EvaluateSettings,
    ItemFacts,
    accuracy_of_ranks,
    qualities_of_lists,
    qualities_together,
)

ITEMS = np.array([[2, 3], [1, 2]], dtype=np.int32)


def facts(*, ranked: np.ndarray | None = None, vectors: np.ndarray | None = None) -> ItemFacts:
    return ItemFacts.of(small_fold().train, BANDS, ranked, vectors)


def test_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(SettingsError, match=r"unknown metric 'ndgc'.*did you mean 'ndcg'"):
        EvaluateSettings.parse({"metrics": ["ndgc"]})


def test_list_without_places_is_refused():
    with pytest.raises(SettingsError, match="at least 1 place, not 0"):
        EvaluateSettings.parse({"ks": [10, 0]})


@pytest.mark.parametrize("values", [{"ks": []}, {"metrics": []}, {"confidence": 1.0}, {"batch": 0}])
def test_setting_out_of_range_is_refused(values):
    with pytest.raises(SettingsError, match=next(iter(values))):
        EvaluateSettings.parse(values)


def test_lengths_are_sorted_and_named_once():
    assert EvaluateSettings(ks=(50, 10, 50)).ks == (10, 50)


def test_metric_is_named_with_its_length_and_auc_without():
    ranks = ranks_at([[1]], n_ranked=3)
    found = accuracy_of_ranks(ranks, EvaluateSettings(ks=(5, 10), metrics=("ndcg", "auc")))
    assert list(found) == ["ndcg@5", "ndcg@10", "auc"]


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_alone_gives_just_itself(name):
    settings = EvaluateSettings(ks=(2,), metrics=(name,))
    known = facts(vectors=np.eye(8, dtype=np.float32))
    found = [
        *accuracy_of_ranks(ranks_at([[1]], n_ranked=3), settings),
        *qualities_of_lists(ITEMS, known, settings),
        *qualities_together(ITEMS, known, settings),
    ]
    assert found == ["auc" if name == "auc" else f"{name}@2"]


def test_without_vectors_diversity_is_left_out():
    settings = EvaluateSettings(ks=(2,), metrics=("diversity", "novelty"))
    assert list(qualities_of_lists(ITEMS, facts(), settings)) == ["novelty@2"]


def test_lists_are_cut_at_each_length():
    settings = EvaluateSettings(ks=(1, 2), metrics=("tail_share",))
    found = qualities_of_lists(np.array([[4, 0]], dtype=np.int32), facts(), settings)
    assert [values.tolist() for values in found.values()] == [[1.0], [0.5]]


def test_facts_count_active_users_and_their_items():
    known = facts()
    assert known.n_users == 3
    assert known.n_consumers.tolist() == [3, 2, 1, 1, 1, 1, 0, 0]
    assert known.is_tail.tolist() == [False] * 4 + [True] * 4


def test_coverage_is_a_share_of_the_items_that_can_be_shown():
    ranked = np.arange(8) < 4
    found = qualities_together(ITEMS, facts(ranked=ranked), EvaluateSettings(ks=(2,)))
    assert found["coverage@2"] == 0.75
