from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from longtale.explain.codes import CITING, FILLS, OF_HISTORY, SAYINGS, code_of
from longtale.recommend.settings import RetrieverName

ADDED = ("taste", "ranker", "long_tail", "rules", "wishes")


@pytest.mark.parametrize("source", [*get_args(RetrieverName), *ADDED])
@pytest.mark.parametrize("has_history", [True, False])
def test_every_part_of_a_score_has_a_reason_that_can_be_said(
    source: str, has_history: bool
) -> None:
    assert code_of(source, has_history=has_history, has_words=True) in SAYINGS


@pytest.mark.parametrize("source", get_args(RetrieverName))
def test_who_has_chosen_nothing_is_never_told_of_what_they_chose(source: str) -> None:
    assert code_of(source, has_history=False, has_words=True) not in OF_HISTORY


def test_the_page_about_explanations_has_every_code_in_its_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanations.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \|", page.split("## Why not")[0], re.MULTILINE)
    assert sorted(table) == sorted(SAYINGS)


def test_both_languages_name_evidence_in_the_same_places() -> None:
    for code, saying in SAYINGS.items():
        assert saying.english.count("{}") == saying.chinese.count("{}") == (code in CITING), code
    assert FILLS not in CITING
