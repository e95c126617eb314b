from __future__ import annotations

import re

import pytest
import yaml
from tests.deploy.promql import DEPLOY, needs_promtool, promtool, unknown_names

FOLDER = DEPLOY / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
TRIALS = ("alerts_test.yml", "alerts_days_test.yml")
GUIDE = (DEPLOY.parent / "docs" / "monitoring.md").read_text("utf-8")


def tried() -> list[tuple[str, bool]]:
    """Give each alert that is tried, with whether it is to fire."""
    return [
        (trial["alertname"], bool(trial["exp_alerts"]))
        for name in TRIALS
        for case in yaml.safe_load((FOLDER / name).read_text("utf-8"))["tests"]
        for trial in case["alert_rule_test"]
    ]


@needs_promtool
@pytest.mark.parametrize("name", TRIALS)
def test_alerts_fire_where_they_should_and_nowhere_else(name):
    assert promtool("test", "rules", f"prometheus/{name}") == ""


@needs_promtool
def test_the_configuration_can_be_read():
    assert promtool("check", "config", "--syntax-only", "prometheus/prometheus.yml") == ""


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("fires", [True, False])
def test_every_alert_is_tried_both_ways(alert, fires):
    assert (alert, fires) in tried()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert", rule.get("record")))
def test_rules_name_only_what_is_exported(rule):
    assert unknown_names(rule["expr"], RECORDED) == set()


@pytest.mark.parametrize(
    "expression",
    [
        "rate(longtale_request_total[5m])",
        'longtale_store_up{stores="events"}',
        "sum by (rout) (longtale_requests_total)",
        "longtale:errors:ratio_rate2m",
        "longtale_request_seconds",
    ],
)
def test_a_name_that_is_not_exported_is_noticed(expression):
    assert unknown_names(expression, RECORDED)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_grave_it_is_and_has_a_chapter_in_the_guide(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "docs/monitoring.md"
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", GUIDE, re.MULTILINE)
    }
    assert anchor in anchors
