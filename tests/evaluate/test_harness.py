"""The whole run on a world whose every rank can be counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluate.worlds import BANDS, PROTOCOL, TARGETS, falling, models, report_of, small_fold

from longtale.errors import DataError
from longtale.evaluate.harness import evaluate
from longtale.evaluate.measures import EvaluateSettings
from longtale.seeds import generator

GAIN_AT_2 = 1 / math.log2(3)


def value(report, model, metric, slice="all"):
    return report.find(model, metric, slice).value


def test_numbers_are_those_of_a_hand():
    # Ranks under `falling`: 1; 1 and 6; 2, once the seen items are masked.
    report = report_of()
    assert value(report, "falling", "recall@2") == pytest.approx((1 + 1 / 2 + 1) / 3)
    ndcg = (1 + 1 / (1 + GAIN_AT_2) + GAIN_AT_2) / 3
    assert value(report, "falling", "ndcg@2") == pytest.approx(ndcg)


def test_request_without_targets_is_left_out_and_counted():
    report = report_of()
    assert (report.n_requests, report.n_left_out) == (3, 1)
    assert report.find("falling", "ndcg@2").n == 3


def test_model_that_says_nothing_is_no_better_than_chance():
    assert value(report_of(), "silent", "auc") == 0.5


def test_slices_are_those_in_which_there_is_anybody():
    assert report_of().slices == (
        "all",
        "head-items",
        "torso-items",
        "new-items",
        "light-users",
        "regular-users",
    )


def test_band_makes_only_its_targets_relevant_and_keeps_the_list():
    report = report_of()
    assert report.find("falling", "recall@2", "new-items").n == 2
    assert value(report, "falling", "recall@2", "new-items") == 0.5  # ranks 6 and 2
    assert value(report, "falling", "recall@2", "head-items") == 1.0


def test_band_slices_carry_only_accuracy():
    report = report_of()
    with pytest.raises(DataError, match="no 'coverage@2' of 'falling' in the slice 'new-items'"):
        report.find("falling", "coverage@2", "new-items")


def test_users_are_sliced_by_the_history_in_the_request():
    report = report_of()
    assert report.find("falling", "recall@2", "light-users").n == 2
    assert report.find("falling", "coverage@2", "regular-users").value == 2 / 8


def test_newcomers_have_a_slice():
    targets = small_fold().targets.of([*TARGETS[:2], [3], TARGETS[3]])
    assert "new-users" in report_of(small_fold(targets=targets)).slices


def test_heavy_users_have_more_than_twenty_events():
    long = [[0] * 20, [0] * 21, [], []]
    queries = small_fold().queries.of(long)
    report = report_of(small_fold(queries=queries, seen=queries.histories.matrix(8)))
    assert report.find("falling", "recall@2", "heavy-users").n == 1
    assert report.find("falling", "recall@2", "regular-users").n == 1


def test_cold_users_are_sliced_by_what_was_given():
    report = report_of(small_fold(given=np.array([2, 1, 0, 1])))
    assert [s for s in report.slices if s.startswith("given")] == ["given-1", "given-2"]
    assert report.find("falling", "recall@2", "given-1").n == 2


def test_only_ranked_items_are_listed_and_covered():
    ranked = np.arange(8) != 3
    report = report_of(small_fold(ranked=ranked), metrics=("coverage",))
    assert value(report, "falling", "coverage@2") == 5 / 7  # 2, 4; 1, 2; 6, 7


def test_silent_model_lists_nothing():
    report = report_of()
    assert value(report, "silent", "coverage@2") == 0.0
    assert math.isnan(value(report, "silent", "novelty@2"))


def test_size_of_the_batch_changes_no_number():
    whole, single = report_of(batch=256), report_of(batch=1)
    assert whole.as_dict() == single.as_dict()


def test_interval_encloses_the_value():
    found = report_of().find("falling", "ndcg@2")
    assert found.low <= found.value <= found.high
    assert found.low < found.high


def test_without_draws_there_are_no_intervals():
    assert math.isnan(report_of(n_bootstrap=0).find("falling", "ndcg@2").low)


def test_progress_is_told_each_batch():
    told = []
    evaluate(
        models,
        small_fold(),
        PROTOCOL,
        BANDS,
        EvaluateSettings(batch=2, metrics=("ndcg",)),
        rng=generator(0, "test"),
        on_progress=told.append,
    )
    assert told == [2, 1]


def test_nobody_with_targets_is_refused():
    targets = small_fold().targets.of([[], [], [], []])
    with pytest.raises(DataError, match="none of the 4 requests has a target"):
        report_of(small_fold(targets=targets))


def test_masked_target_is_refused():
    targets = small_fold().targets.of([[0], [], [], []])
    with pytest.raises(DataError, match="must not be masked as seen"):
        report_of(small_fold(targets=targets))


def test_scores_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"model 'short' gave scores of shape \(3, 5\); expected"):
        evaluate(
            lambda queries: {"short": falling(queries)[:, :5]},
            small_fold(),
            PROTOCOL,
            BANDS,
            EvaluateSettings(),
            rng=generator(0, "test"),
        )


def test_report_counts_the_requests_that_the_cut_left_out():
    assert report_of(replace(small_fold(), n_left_out=4)).n_left_out == 1 + 4
