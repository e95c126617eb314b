"""Two results are compared on the same users, under the same rules, or not at all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluate.worlds import PROTOCOL, report_of

from longtale.data.splits.split import Protocol, ProtocolName
from longtale.errors import DataError, ProtocolMismatchError
from longtale.evaluate.comparison import compare, paired
from longtale.evaluate.report import Report
from longtale.seeds import generator


@pytest.fixture(scope="module")
def report():
    return report_of()


@pytest.fixture
def rng():
    return generator(0, "test comparison")


def test_difference_is_that_of_the_two_values(report, rng):
    (found,) = paired(report, "falling", ["rising"], "ndcg@2", rng=rng)
    gap = report.find("falling", "ndcg@2").value - report.find("rising", "ndcg@2").value
    assert found.test.difference == pytest.approx(gap)
    assert (found.first, found.second, found.slice, found.test.n) == ("falling", "rising", "all", 3)


def test_several_comparisons_are_corrected_together(rng):
    values = {("a", "all", "ndcg@1"): np.ones(40)}
    values |= {(m, "all", "ndcg@1"): np.tile([0.0, 1.0], 20) for m in ("b", "c", "d")}
    results = [replace(report_of().results[0], model=m, metric="ndcg@1") for m in "abcd"]
    made = Report(PROTOCOL, tuple(results), per_user=values)
    found = paired(made, "a", ["b", "c", "d"], "ndcg@1", rng=rng)
    assert [each.second for each in found] == ["b", "c", "d"]
    assert [each.corrected_p for each in found] == pytest.approx(
        [3 * each.test.p for each in found]
    )


def test_slice_can_be_chosen(report, rng):
    (found,) = paired(report, "falling", ["rising"], "recall@2", rng=rng, slice="new-items")
    assert found.test.n == 2


def test_number_of_all_lists_together_cannot_be_tested(report, rng):
    with pytest.raises(DataError, match="no 'coverage@2' of single users to test"):
        paired(report, "falling", ["rising"], "coverage@2", rng=rng)


def test_unknown_model_is_named(report, rng):
    with pytest.raises(DataError, match="no model 'eas'"):
        paired(report, "eas", ["rising"], "ndcg@2", rng=rng)


def test_report_does_not_differ_from_itself(report, rng):
    found = compare(report, report, "ndcg@2", rng=rng)
    assert [each.first for each in found] == ["falling", "rising", "silent"]
    assert all(each.test.difference == 0 and each.test.p == 1 for each in found)


def test_report_from_a_file_is_compared_without_interval(report, rng):
    read = Report.from_dict(report.as_dict())
    found = compare(report, read, "ndcg@2", rng=rng)
    assert all(each.test.difference == 0 and math.isnan(each.test.low) for each in found)


def test_different_protocols_are_refused_and_shown(report, rng):
    other = replace(report, protocol=Protocol(ProtocolName.TIME, PROTOCOL.stamp.replace("0", "7")))
    with pytest.raises(ProtocolMismatchError, match="'seed 0' against 'seed 7'") as error:
        compare(report, other, "ndcg@2", rng=rng)
    assert PROTOCOL.stamp in str(error.value)
    assert other.protocol.stamp in str(error.value)


def test_reports_without_a_model_in_common_are_refused(report, rng):
    other = replace(report, results=tuple(replace(r, model="new") for r in report.results))
    with pytest.raises(DataError, match="share no model: one has falling, rising, silent"):
        compare(report, other, "ndcg@2", rng=rng)
