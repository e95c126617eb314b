from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from longtale.reliability.guarantee import State, Verdict
from longtale.reliability.pages import figures, html, markdown
from longtale.reliability.suite import Report

ROOT = Path(__file__).parents[2]


def verdict(name: str, state: State, **changes: object) -> Verdict:
    values = {"measured": {"lost": 0, "p99_ms": 12.5}, "is_mutant_caught": True, **changes}
    return Verdict(name, f"<{name}> is | kept", "0 lost", "a & b", state, **values)


@pytest.fixture
def report():
    verdicts = [
        verdict("good", State.KEPT),
        verdict("late", State.SLOW, detail="2.0 times slower"),
        verdict("bad", State.BROKEN, detail="<3> lost", is_mutant_caught=False),
        verdict("away", State.NOT_TRIED, detail="not here", measured={}, is_mutant_caught=None),
    ]
    return Report("quick", verdicts, "a machine", "2026-01-02T03:04:05+00:00", 61.0)


class Reader(HTMLParser):
    """Gathers the text of a page, and sees that every tag that must be closed is."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_is_proven_by_all_its_verdicts(report):
    assert not report.is_proven
    assert Report("quick", report.verdicts[:2], "", "", 0.0).is_proven


def test_a_report_is_plain_json(report):
    told = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert [found["state"] for found in told["guarantees"]] == [
        "kept",
        "slow here",
        "broken",
        "not tried",
    ]
    assert told["is_proven"] is False


def test_the_page_holds_every_promise_its_figures_and_what_is_wrong(report):
    page = markdown([report.as_dict()])
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == 4
    assert "lost 0; p99 ms 12.5" in rows[0]
    assert rows[0].count(" | ") == 4, "a bar within a cell is escaped"
    assert "NOT CAUGHT" in rows[2]
    assert "- **bad**: <3> lost" in page
    assert "1 kept, 1 slow here, 1 broken, 1 not tried; 2 of 3 mutants caught." in page


def test_the_html_page_needs_no_other_file_and_shows_what_was_said(report):
    page = html(report.as_dict())
    assert "src=" not in page
    assert "href=" not in page
    assert "<3>" not in page
    reader = Reader()
    reader.feed(page)
    assert "<bad> is | kept" in reader.text
    assert "<3> lost" in reader.text
    assert "a & b: NOT CAUGHT" in reader.text


def test_figures_are_read_as_people_write_them():
    measured = {"n_lists": 12000, "share": 0.12345, "never_s": None, "whole": True, "left": []}
    assert figures(measured) == [
        ("n lists", "12,000"),
        ("share", "0.12345"),
        ("never s", "never"),
        ("whole", "yes"),
        ("left", "none"),
    ]


def test_the_documentation_shows_what_was_measured():
    kept = sorted((ROOT / "docs" / "reliability").glob("*.json"), reverse=True)
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in kept]
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert reports
    assert page == markdown(reports), "make it again with: python scripts/reliability.py"
