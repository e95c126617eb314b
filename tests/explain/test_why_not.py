from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from longtale.data.filters.filter import parse_filter
from longtale.errors import FilterError
from longtale.explain.explanation import Named
from longtale.explain.why_not import (
    LONGEST,
    Change,
    Place,
    Tried,
    bars,
    changes,
    clauses,
    least,
    relaxed,
    stage_of,
)

NEAR = Named("near", "Near")


def answers(rank_of: Callable[[Change], int], n: int = 10) -> Callable[[Change], Place]:
    """Give a slate in which an item stands where the change puts it."""

    def ask(change: Change) -> Place:
        rank = rank_of(change)
        return Place(rank, 5000, True, rank <= (n if change.n is None else change.n))

    return ask


def found(
    rank_of: Callable[[Change], int], others: list[list[Change]] | None = None
) -> list[Tried]:
    return list(changes(answers(rank_of), Change(), n=10, long_tail=0.0, others=others or []))


def place(rank: int, *, is_in: bool = False, is_scored: bool = True) -> Place:
    return Place(rank, 100, is_scored, is_in)


def test_masks_bar_in_their_order() -> None:
    mask = np.array([True, False])
    barred = {"muted": ~mask, "rule": mask, "seen": mask}
    assert bars(barred, 0) == ("rule", "seen")


def test_an_item_fell_at_the_first_thing_that_keeps_it_out() -> None:
    assert stage_of(("rule", "seen"), place(3), n=10) == "rule"
    assert stage_of((), place(3, is_in=True), n=10) == "shown"
    assert stage_of((), place(90, is_scored=False), n=10) == "unscored"
    assert stage_of((), place(11), n=10) == "score"
    assert stage_of((), place(9), n=10) == "dials"


def test_a_slate_a_little_longer_is_the_smallest_change() -> None:
    first, *_ = found(lambda change: 12)
    assert first == Tried(Change(n=12), 12)


def test_a_much_longer_slate_comes_last_and_an_endless_one_not_at_all() -> None:
    touch = [[Change(touch=(NEAR,))]]
    assert [t.change for t in found(lambda c: 4 if c.touch else 300, touch)] == [
        Change(touch=(NEAR,)),
        Change(n=300),
    ]
    assert found(lambda c: LONGEST + 1, touch) == []


def test_the_dial_is_turned_no_further_than_it_must() -> None:
    (tried,) = found(lambda c: 5 if (c.long_tail or 0) >= 0.37 else 5000)
    assert tried == Tried(Change(long_tail=0.37), 5)


def test_a_dial_that_lifts_others_past_the_item_when_fully_turned_is_found_all_the_same() -> None:
    (tried,) = found(lambda c: 5 if 0.3 <= (c.long_tail or 0) <= 0.6 else 5000)
    assert tried.change == Change(long_tail=0.3)


def test_of_one_kind_the_first_that_lets_it_in_is_given() -> None:
    says = [Change(say="sea"), Change(say="war"), Change(say="war film")]
    (tried,) = found(lambda c: 2 if c.say and "war" in c.say else 5000, [says])
    assert tried == Tried(Change(say="war"), 2)


def test_nothing_is_claimed_that_was_not_asked() -> None:
    asked: list[Change] = []

    def rank_of(change: Change) -> int:
        asked.append(change)
        return 7 if change.say or (change.long_tail or 0) > 0.9 else 40

    given = found(rank_of, [[Change(say="sea")], [Change(touch=(NEAR,))]])
    assert [tried.change for tried in given] == [
        Change(long_tail=0.91),
        Change(say="sea"),
        Change(n=40),
    ]
    assert all(tried.change in asked for tried in given)


def test_what_bars_is_lifted_and_if_need_be_more_on_top() -> None:
    let = Change(lift=("muted",), filter="year > 1")

    def rank_of(change: Change) -> int:
        assert (change.lift, change.filter) == (let.lift, let.filter)
        return 3 if change.say else 15

    found = list(changes(answers(rank_of), let, n=10, long_tail=0.0, others=[[Change(say="sea")]]))
    assert [tried.change for tried in found] == [
        Change(lift=("muted",), filter="year > 1", n=15),
        Change(lift=("muted",), filter="year > 1", say="sea"),
    ]
    enough = list(changes(answers(lambda change: 2), let, n=10, long_tail=0.0, others=[]))
    assert enough == [Tried(let, 2)]


def test_what_is_there_needs_no_change() -> None:
    assert found(lambda change: 2) == []


@pytest.mark.parametrize("first", range(1, 101))
def test_halving_finds_the_first_step(first: int) -> None:
    assert least(lambda step: step >= first, 0, 100) == first


def test_halving_finds_nothing_where_nothing_is() -> None:
    assert least(lambda step: False, 0, 100) is None
    assert least(lambda step: True, 100, 100) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("year >= 1990", ["year >= 1990"]),
        ("a = 1 AND b = 'x and y' and not c = 2", ["a = 1", "b = 'x and y'", "not c = 2"]),
        ("a = 1 and b = 2 or c = 3", ["a = 1 and b = 2 or c = 3"]),
        ("(a = 1 or b = 2) and `and` = 3", ["(a = 1 or b = 2)", "`and` = 3"]),
        ("(a = 1 and b = 2)", ["(a = 1 and b = 2)"]),
    ],
)
def test_a_filter_falls_into_the_conditions_that_must_all_hold(text: str, parts: list[str]) -> None:
    assert clauses(text) == parts
    assert [parse_filter(part).text for part in parts] == parts


def test_a_filter_is_relaxed_by_what_is_not_met() -> None:
    assert relaxed("a = 1 and b = 2 and c = 3", lambda clause: clause != "b = 2") == (
        "a = 1 and c = 3"
    )
    assert relaxed("a = 1", lambda clause: False) == ""


def test_what_is_no_filter_is_refused() -> None:
    with pytest.raises(FilterError, match="expected"):
        clauses("year >=")


def test_a_change_says_only_what_is_changed() -> None:
    assert Change().as_dict() == {}
    assert Change(lift=("muted",), filter="", touch=(NEAR,)).as_dict() == {
        "lift": ["muted"],
        "filter": "",
        "touch": [{"id": "near", "title": "Near"}],
    }
