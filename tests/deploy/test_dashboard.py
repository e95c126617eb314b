from __future__ import annotations

import json
from itertools import combinations

import pytest
from tests.deploy.promql import (
    DEPLOY,
    labels_by_series,
    needs_promtool,
    unknown_names,
    unreadable,
    walked,
)

BOARD = json.loads((DEPLOY / "grafana" / "longtale.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
} | {note["name"]: note["expr"] for note in BOARD["annotations"]["list"] if "expr" in note}
WIDTH = 24


def filled(expression: str) -> str:
    """Put values in place of Grafana's variables."""
    for name, value in (("$__rate_interval", "1m"), ("$job", "longtale"), ("$instance", ".*")):
        expression = expression.replace(name, value)
    assert "$" not in expression, f"a variable is left: {expression}"
    return expression


@needs_promtool
def test_every_expression_can_be_read(tmp_path):
    assert unreadable({name: filled(each) for name, each in EXPRESSIONS.items()}, tmp_path) == ""


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_name_only_what_is_exported(name):
    assert unknown_names(EXPRESSIONS[name]) == set()


def test_every_metric_is_on_some_panel():
    shown = " ".join(EXPRESSIONS.values())
    families = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        for name in labels_by_series()
    }
    assert {name for name in families if name not in shown} == set()


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= WIDTH for place in places)
    for a, b in combinations(places, 2):
        is_beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        is_below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert is_beside or is_below, (a, b)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_has_a_unit_a_source_and_targets_of_their_own(panel):
    assert panel["fieldConfig"]["defaults"]["unit"]
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)


def test_every_source_is_the_one_that_the_reader_chooses():
    sources = [
        each["datasource"] for each in walked(BOARD) if isinstance(each.get("datasource"), dict)
    ]
    uids = {source["uid"] for source in sources if source["type"] == "prometheus"}
    assert uids == {"${datasource}"}
    assert "datasource" in [variable["name"] for variable in BOARD["templating"]["list"]]


def test_the_board_is_one_that_grafana_keeps_under_its_own_name():
    assert BOARD["uid"] == "longtale"
    assert isinstance(BOARD["schemaVersion"], int)
    assert "id" not in BOARD
