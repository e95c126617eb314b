"""The outside face of the figures: plain values that stay, tables that can be read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.evaluate.worlds import PROTOCOL, report_of

from longtale.errors import DataError
from longtale.evaluate.report import Report, Result


@pytest.fixture(scope="module")
def report():
    return replace(report_of(), cost={"encode_cpu_s": 1.5, "peak_memory_mb": 300.0})


def test_plain_values_have_the_shape_that_others_script_against(report):
    plain = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert list(plain) == ["protocol", "results", "cost"]
    assert plain["protocol"] == {
        "name": "time",
        "stamp": PROTOCOL.stamp,
        "n_requests": 3,
        "n_left_out": 1,
    }
    assert plain["cost"] == {"encode_cpu_s": 1.5, "peak_memory_mb": 300.0}
    for result in plain["results"]:
        assert list(result) == ["model", "slice", "metric", "value", "low", "high", "n"]


def test_number_that_is_none_is_null(report):
    plain = report.as_dict()["results"]
    (coverage,) = (
        each
        for each in plain
        if (each["model"], each["slice"], each["metric"]) == ("falling", "all", "coverage@2")
    )
    assert (coverage["low"], coverage["high"]) == (None, None)
    assert coverage["value"] is not None


def test_plain_values_come_back_as_the_same_report(report):
    plain = json.loads(json.dumps(report.as_dict()))
    assert Report.from_dict(plain).as_dict() == report.as_dict()


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"protocol": {"name": "guess", "stamp": ""}, "results": [], "cost": {}},
        {"protocol": {"name": "time", "stamp": ""}, "results": [{"model": "x"}], "cost": {}},
    ],
)
def test_what_is_no_report_is_refused(plain):
    with pytest.raises(DataError, match="this is no report of an evaluation"):
        Report.from_dict(plain)


def test_order_is_slice_then_model_then_metric(report):
    assert report.models == ("falling", "rising", "silent")
    assert report.slices[0] == "all"
    assert report.metrics[0] == "ndcg@2"
    keys = [(result.slice, result.model) for result in report.results]
    assert keys == sorted(
        keys, key=lambda key: (report.slices.index(key[0]), report.models.index(key[1]))
    )


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (("faling", "ndcg@2", "all"), "no model 'faling'.*did you mean 'falling'"),
        (("falling", "ndcg@3", "all"), "no metric 'ndcg@3'.*did you mean 'ndcg@2'"),
        (("falling", "ndcg@2", "tail-items"), "no slice 'tail-items'; it has all, head-items"),
    ],
)
def test_missing_number_is_named_with_what_there_is(report, asked, answer):
    with pytest.raises(DataError, match=answer):
        report.find(*asked)


def test_markdown_states_the_protocol_the_numbers_and_the_cost(report):
    text = report.markdown()
    assert PROTOCOL.stamp in text
    assert "|  | users | falling | rising | silent |" in text
    assert "| ndcg@2 new-items | 2 |" in text
    assert "| encode_cpu_s | 1.5 |" in text
    assert "1 without a target left out" in text


def test_best_accuracy_is_bold_and_popularity_never(report):
    lines = {line.split(" | ")[0]: line for line in report.markdown().splitlines()}
    assert lines["| recall@2"].startswith("| recall@2 | 3 | **0.8333**")
    assert "**" not in lines["| popularity@2"]


def test_number_that_is_none_is_a_dash_in_the_table(report):
    (line,) = (line for line in report.markdown().splitlines() if line.startswith("| novelty@2 "))
    assert line.endswith("| – |")


def test_slices_of_a_metric_that_is_not_there_are_refused(report):
    with pytest.raises(DataError, match="no metric 'ndcg@7'"):
        report.markdown("ndcg@7")


def test_report_of_one_number_can_be_shown():
    single = Report(PROTOCOL, (Result("ease", "all", "ndcg@10", 0.25, 0.2, 0.31, 9),))
    assert "| ndcg@10 | 9 | **0.2500** ±0.0550 |" in single.markdown()
