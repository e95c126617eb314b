from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from longtale.errors import FilterError, UnknownIdError
from longtale.explain.explanation import Named
from longtale.explain.why_not import Change
from longtale.recommend.dials import Dials
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question, slates

HIDDEN, NOT_YET = 3, 4


def shown(recommender: Recommender, question: Question) -> list[str]:
    (slate,) = slates(recommender.scoring, question, question.queries, k=question.n)
    rows = slate.candidates.items[0]
    return recommender.catalog.items.ids_of(rows[rows >= 0])


def test_it_asks_what_recommend_asks(recommender: Recommender) -> None:
    first = recommender.catalog.items.ids[0]
    asks = [
        {"user": "user 3"},
        {"user": "user 3", "filter": "year >= 1985", "n": 4},
        {"history": [first], "exclude": ["twin"]},
        {"text": recommender.catalog.titles()[-1]},
        {"user": "user 1", "dials": Dials(diversity=0.7, long_tail=0.5)},
    ]
    for ask in asks:
        answer = recommender.recommend(**ask)
        asked = dict(ask)
        question = Question.of(recommender, asked.pop("user", None), **asked)
        assert shown(recommender, question) == [item.id for item in answer.items]


def test_nothing_is_left_to_chance(recommender: Recommender) -> None:
    exploring = Question.of(recommender, "user 3", dials=Dials(explore=1.0))
    answer = recommender.recommend("user 3")
    assert shown(recommender, exploring) == [item.id for item in answer.items]


def test_each_reason_for_exclusion_stands_by_itself(recommender: Recommender) -> None:
    question = Question.of(recommender, "user 0", exclude=["twin"], filter="year >= 1981")
    barred = {name: np.flatnonzero(mask).tolist() for name, mask in question.barred.items()}
    assert list(barred) == ["hidden", "not_available", "excluded", "seen", "filter"]
    assert (barred["hidden"], barred["not_available"]) == ([HIDDEN], [NOT_YET])
    assert barred["excluded"] == [recommender.catalog.items.row("twin")]
    assert barred["filter"] == [0]
    seen = recommender.dataset.histories(np.array([0])).items
    assert barred["seen"] == sorted(seen.tolist())


def test_what_can_be_had_depends_on_when_it_is_asked(recommender: Recommender) -> None:
    later = Question.of(recommender, at=datetime(2101, 1, 1, tzinfo=UTC))
    assert not later.barred["not_available"].any()
    assert later.barred["hidden"][HIDDEN]


def test_all_items_come_by_their_scores_whatever_arranges_the_slate(
    recommender: Recommender,
) -> None:
    question = Question.of(recommender, "user 0", dials=Dials(diversity=1.0, explore=1.0))
    (slate,) = slates(recommender.scoring, question, question.queries)
    assert slate.candidates.items.shape == (1, recommender.dataset.n_items)
    assert (np.diff(slate.candidates.scores[0][: (~question.excluded).sum()]) <= 0).all()


def test_one_item_is_let_through_alone(recommender: Recommender) -> None:
    question = Question.of(recommender)
    let = question.letting(HIDDEN, ["hidden"])
    assert (question.excluded != let.excluded).sum() == 1
    assert not let.excluded[0, HIDDEN]
    assert question.letting(HIDDEN, ["seen"]).excluded[0, HIDDEN]


def test_its_own_events_say_nothing_of_an_item(recommender: Recommender) -> None:
    question = Question.of(recommender, "user 0")
    met = int(question.queries.histories.items[0])
    others = question.of_item(met).queries.histories.items
    assert met not in others
    assert len(others) == (question.queries.histories.items != met).sum()


def test_asking_otherwise_is_asking_recommend_otherwise(recommender: Recommender) -> None:
    ids, titles = recommender.catalog.items.ids, recommender.catalog.titles()
    touched = Named(ids[12], titles[12])
    changes = [
        (Change(n=7), {"n": 7}),
        (Change(long_tail=0.5), {"dials": Dials(diversity=0.4, long_tail=0.5)}),
        (Change(at_rest=("diversity",)), {"dials": Dials()}),
        (Change(filter="year >= 1990"), {"filter": "year >= 1990"}),
        (Change(touch=(touched,)), {"history": [touched.id]}),
        (Change(say=titles[15]), {"text": titles[15]}),
    ]
    usual = {"dials": Dials(diversity=0.4), "filter": "year >= 1984"}
    question = Question.of(recommender, **usual)
    for change, ask in changes:
        answer = recommender.recommend(**{**usual, **ask})
        got = shown(recommender, question.changed(recommender, change, HIDDEN))
        assert got == [item.id for item in answer.items], change


def test_words_are_said_behind_those_that_were_said(recommender: Recommender) -> None:
    first, second = recommender.catalog.titles()[5], recommender.catalog.titles()[15]
    question = Question.of(recommender, text=first)
    answer = recommender.recommend(text=f"{first}, {second}")
    changed = question.changed(recommender, Change(say=second), HIDDEN)
    assert shown(recommender, changed) == [item.id for item in answer.items]


def test_unknown_ids_and_columns_are_refused(recommender: Recommender) -> None:
    with pytest.raises(UnknownIdError, match="unknown item 'nope'"):
        Question.of(recommender, exclude=["nope"])
    with pytest.raises(FilterError, match="did you mean 'year'"):
        Question.of(recommender, filter="yaer = 1")
