from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import get_args

import pytest

from longtale.errors import QueryError
from longtale.explain.codes import OF_HISTORY, SAYINGS
from longtale.explain.explanation import (
    Cited,
    Counterfactual,
    Effect,
    Explanation,
    Named,
    Why,
)
from longtale.explain.phrases import ENGLISH, Audience, Language
from longtale.explain.prose import told
from longtale.schema import Band

HEAT, CASINO, RONIN, OTHER = (Named(t[0], t) for t in ("Heat", "Casino", "Ronin", "Other"))
CITED = (Cited(CASINO, 0.8, 12, ("heist",)), Cited(RONIN, 0.5, 3, ()))


def explanation(*reasons: Why) -> Explanation:
    return Explanation(
        item=HEAT,
        band=Band.TAIL,
        n_events=12,
        rank=3,
        place=3,
        n=10,
        n_candidates=4210,
        score=2.5,
        mean=0.25,
        contributions={"ease": 2.0, "popular": 0.25},
        errors={"ease": 0.125},
        weights={"ease": 0.5},
        reasons=reasons or (Why("chosen_together", 0.54, ("ease",), CITED),),
        history=(Effect(0.8, 27, CASINO), Effect(0.5, 9, RONIN), Effect(-0.1, 3, OTHER)),
        n_history=3,
        words=None,
        counterfactual=Counterfactual((CASINO,), 27),
    )


def test_a_user_reads_one_sentence_that_quotes_the_evidence() -> None:
    assert told(explanation()) == (
        "We suggest 'Heat' because it is often chosen together with 'Casino' and 'Ronin'."
    )
    assert told(explanation(), "user", "zh") == (
        "为您推荐《Heat》，因为它常与《Casino》和《Ronin》一起被选择。"
    )


def test_an_editor_reads_shares_and_what_the_item_owes_its_place_to() -> None:
    assert told(explanation(), "editor") == (
        "'Heat' (tail, chosen 12 times) stands at place 3 of 4,210 by its score. 54%: it is often "
        "chosen together with 'Casino' and 'Ronin'. Without 'Casino' it would stand at place 27, "
        "outside the first 10."
    )


def test_an_engineer_reads_every_number() -> None:
    text = told(explanation(), "engineer")
    for number in ("2.5000", "0.2500", "ease=+2.0000±0.1250", "drop=+0.8000", "rank=27", "3/3"):
        assert number in text
    for number in ("together=12", "weight=0.5400", "n_events=12", "rank=3/4210"):
        assert number in text


@pytest.mark.parametrize("code", sorted(SAYINGS))
@pytest.mark.parametrize("language", get_args(Language))
def test_no_sentence_names_an_item_that_is_no_evidence(code: str, language: Language) -> None:
    for evidence in ((), CITED[:1], CITED):
        given = explanation(Why(code, 1.0, ("x",), evidence if code in OF_HISTORY else ()))
        text = told(replace(given, counterfactual=None), "user", language)
        named = {title for title in ("Casino", "Ronin", "Other") if title in text}
        assert named == {c.item.title for c in given.reasons[0].evidence}
        assert "{" not in text


@pytest.mark.parametrize("code", ["chosen_together", "chosen_after"])
def test_that_people_chose_both_is_said_only_where_somebody_did(code: str) -> None:
    nobody = Cited(CASINO, 0.8, 0, ())
    text = told(explanation(Why(code, 1.0, ("ease",), (nobody, CITED[1]))))
    assert "Casino" not in text
    assert "Ronin" in text
    assert "what you chose" in told(explanation(Why(code, 1.0, ("ease",), (nobody,))))


def test_words_are_quoted_that_both_texts_have_and_that_were_said() -> None:
    alike = told(explanation(Why("like_what_you_chose", 1.0, ("semantic",), CITED[:1])))
    assert alike.endswith("close in meaning to 'Casino' (both mention heist).")
    said = Why("matches_your_words", 1.0, ("semantic",), (), ("quiet", "heist"))
    assert told(explanation(said)).endswith("close in meaning to your words (quiet and heist).")


def test_what_goes_by_the_whole_history_says_what_it_owes_most_to() -> None:
    text = told(explanation(Why("people_like_you", 1.0, ("als",), CITED[:1])))
    assert text.endswith("people with your taste chose it (most of all since you chose 'Casino').")


def test_a_second_reason_is_told_where_it_weighs() -> None:
    first = Why("popular", 0.7, ("popular",))
    heavy, light = (Why("people_like_you", weight, ("als",)) for weight in (0.3, 0.1))
    assert ", and because people with your taste chose it." in told(explanation(first, heavy))
    assert "taste" not in told(explanation(first, light))


def test_what_is_not_there_is_not_said_to_be_suggested() -> None:
    outside = replace(explanation(), place=None, rank=30, counterfactual=None)
    assert told(outside).startswith("'Heat' is not in the list, though it is often chosen")
    assert "No set" not in told(outside, "editor")


def test_that_nothing_was_found_without_which_it_would_drop_out_is_said() -> None:
    assert "No set of up to 3 items" in told(replace(explanation(), counterfactual=None), "editor")
    nobody = replace(explanation(), counterfactual=None, history=(), n_history=0)
    assert "No set" not in told(nobody, "editor")


def test_what_fills_the_list_says_so() -> None:
    assert told(explanation(Why("fills_the_list", 0.0, ()))) == (
        "'Heat' only fills the list: nothing that suits you better is left."
    )


@pytest.mark.parametrize(("n", "said"), [(0, "never chosen"), (1, "chosen once"), (2, "2 times")])
def test_counts_are_said_right(n: int, said: str) -> None:
    assert said in told(replace(explanation(), n_events=n), "editor")


def test_long_titles_show_both_ends_on_one_line() -> None:
    shown = ENGLISH.titled("Filament, " * 20 + "\n1.75 mm, Red")
    assert len(shown) <= 85
    assert re.fullmatch(r"'Filament, .* … .*1.75 mm, Red'", shown)


@pytest.mark.parametrize("audience", get_args(Audience))
@pytest.mark.parametrize("language", get_args(Language))
def test_what_keeps_an_item_out_is_told_but_to_users(
    audience: Audience, language: Language
) -> None:
    text = told(replace(explanation(), barred_by="muted"), audience, language)
    assert ("muted" in text) == (audience != "user")


def test_unknown_audiences_and_languages_are_refused() -> None:
    with pytest.raises(QueryError, match=r"unknown audience 'users'.*did you mean 'user'"):
        told(explanation(), "users")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="unknown language 'fr'; expected one of en, zh"):
        told(explanation(), "user", "fr")  # type: ignore[arg-type]


def test_an_explanation_is_plain_values() -> None:
    plain = json.loads(json.dumps(explanation().as_dict()))
    assert plain["reasons"][0]["evidence"][0] == {
        "id": "C",
        "title": "Casino",
        "drop": 0.8,
        "together": 12,
        "words": ["heist"],
    }
    assert plain["counterfactual"] == {"without": [{"id": "C", "title": "Casino"}], "rank": 27}
    assert set(plain) == set(vars(explanation()))
