from __future__ import annotations

from pathlib import Path

import pytest

from longtale.monitor.metrics import METRICS

GUIDE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text("utf-8")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_page_about_monitoring_says_of_every_metric_what_the_code_says(metric):
    labels = " ".join(f"`{label.name}`" for label in metric.labels)
    row = f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |".replace("|  |", "| |")
    assert row in GUIDE


def test_the_page_about_monitoring_names_no_metric_that_is_gone():
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `longtale_")]
    assert len(rows) == len(METRICS)
