from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest

from longtale.explain.explanation import Named
from longtale.explain.phrases import PHRASES, Audience, Language
from longtale.explain.refusals import refused
from longtale.explain.why_not import Change, Tried, WhyNot

HEAT, RONIN = Named("h", "Heat"), Named("r", "Ronin")
LONGER, TOUCHED = Tried(Change(n=15), 15), Tried(Change(touch=(RONIN,)), 4)
FELL = WhyNot(HEAT, "score", 10, (), 15, 4210, (LONGER, TOUCHED))


def test_a_user_is_told_of_the_smallest_change() -> None:
    assert refused(FELL) == (
        "'Heat' stands at place 15 of 4,210 by its score, and the list has 10."
        " It comes if the list has 15 places."
    )


def test_an_editor_is_told_of_all_changes_and_their_ranks() -> None:
    text = refused(FELL, "editor")
    assert "the list has 15 places (at place 15 by score)" in text
    assert "somebody first chooses 'Ronin' (at place 4 by score)" in text


def test_an_engineer_is_told_of_all_numbers() -> None:
    text = refused(replace(FELL, barred_by=("rule", "seen")), "engineer")
    assert "barred_by=rule,seen rank=15/4210 n=10" in text
    assert "change n=15 rank=15" in text


def test_what_others_decide_is_not_proposed_to_users() -> None:
    ruled = WhyNot(HEAT, "rule", 10, ("rule",), 2, 90, (Tried(Change(lift=("rule",)), 2),))
    assert refused(ruled) == "A rule of the editors keeps 'Heat' out."
    assert "let through (rule)" in refused(ruled, "editor")
    muted = replace(ruled, stage="muted", changes=(Tried(Change(lift=("muted",)), 2),))
    assert refused(muted) == "'Heat' was muted. It comes if it is let through (muted)."


def test_filters_are_quoted_as_they_would_be() -> None:
    barred = WhyNot(HEAT, "filter", 10, ("filter",), 2, 90, (Tried(Change(filter="a = 1"), 2),))
    assert refused(barred).endswith("It comes if the filter is: a = 1.")
    none = replace(barred, changes=(Tried(Change(filter=""), 2),))
    assert refused(none).endswith("It comes if there is no filter.")


def test_what_is_not_known_names_the_nearest() -> None:
    unknown = WhyNot(Named("heta", "heta"), "unknown", 10, nearest=HEAT)
    assert refused(unknown) == "There is no item 'heta'. Perhaps 'Heat' is meant."
    assert refused(replace(unknown, nearest=None)) == "There is no item 'heta'."


def test_a_stage_of_the_services_own_is_named() -> None:
    assert refused(replace(FELL, stage="embargo", changes=())) == (
        "'Heat' is kept out at the stage 'embargo'."
    )


@pytest.mark.parametrize("audience", get_args(Audience))
@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("stage", [*PHRASES["en"].stages, "embargo"])
def test_every_stage_is_told_to_everybody(
    stage: str, language: Language, audience: Audience
) -> None:
    everything = Change(("muted",), "a = 1", ("diversity",), 12, 0.5, (RONIN,), "war")
    given = replace(FELL, stage=stage, changes=(Tried(everything, 7),))
    text = refused(given, audience, language)
    assert "Heat" in text
    assert "Ronin" in text
    assert "{" not in text.replace("{'id'", "")


def test_the_languages_have_the_same_phrases() -> None:
    english, chinese = PHRASES["en"], PHRASES["zh"]
    assert english.stages.keys() == chinese.stages.keys()
    assert english.changes.keys() == chinese.changes.keys() == Change().__dict__.keys()
    assert english.bands.keys() == chinese.bands.keys()


def test_why_not_is_plain_values() -> None:
    plain = json.loads(json.dumps(FELL.as_dict()))
    assert plain["changes"][1] == {"touch": [{"id": "r", "title": "Ronin"}], "rank": 4}
    assert set(plain) == set(vars(FELL))
