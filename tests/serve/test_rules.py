from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longtale.arrays import microseconds
from longtale.data.catalog import Catalog
from longtale.data.vocabulary import Vocabulary
from longtale.errors import FilterError
from longtale.serve.rules import Rule, Ruling

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CATALOG = Catalog(
    Vocabulary.of([f"i{row}" for row in range(5)], noun="item"),
    pl.DataFrame({"genre": ["a", "a", "b", "b", None], "year": [1, 2, 3, 4, 5]}),
)


def rule(action="hide", **more) -> Rule:
    return Rule.model_validate({"action": action, **more})


def ruling(*rules: Rule, where="recommend", at=NOW) -> Ruling:
    return Ruling.of(rules, CATALOG, where, at)


@given(st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3), st.booleans())
def test_a_rule_holds_from_its_first_moment_until_before_its_last(begins, ends, is_aware):
    def moment(seconds):
        if seconds is None:
            return None
        found = NOW + timedelta(seconds=seconds)
        return found if is_aware else found.replace(tzinfo=None)  # without a zone it is UTC

    values = {"items": ["i1"], "valid_from": moment(begins), "valid_until": moment(ends)}
    if begins is not None and ends is not None and ends <= begins:
        with pytest.raises(ValidationError, match="valid_until must lie behind valid_from"):
            rule(**values)
        return
    is_held = (begins is None or begins <= 0) and (ends is None or ends > 0)
    assert rule(**values).holds("recommend", microseconds(NOW)) == is_held
    assert ruling(rule(**values)).hidden.tolist() == [False, is_held, False, False, False]


def test_a_rule_means_its_items_and_what_its_filter_finds_and_no_unknown_id():
    both = rule(items=["i4", "nobody"], filter="genre = 'a'")
    assert np.flatnonzero(both.meant(CATALOG)).tolist() == [0, 1, 4]


def test_a_rule_holds_only_in_the_lists_that_it_names():
    only = rule(items=["i0"], where=["search", "similar"])
    assert not ruling(only).hidden.any()
    for where in ("search", "similar"):
        assert ruling(only, where=where).hidden.tolist() == [True] + [False] * 4


def test_strengths_of_all_rules_on_an_item_add_up():
    found = ruling(
        rule("boost", filter="year >= 2", strength=2),
        rule("bury", items=["i2"], strength=0.5),
        rule("boost", items=["i2"], strength=1),
    )
    assert found.nudge is not None
    assert found.nudge.tolist() == [0, 2, 2.5, 2, 2]


def test_without_a_boost_nothing_is_added():
    assert ruling(rule(items=["i0"])).nudge is None


def test_pins_stand_in_their_order_from_their_place_on_and_the_later_rule_has_a_place():
    found = ruling(
        rule("pin", items=["i3", "nobody", "i1"], place=2), rule("pin", items=["i0"], place=4)
    )
    assert found.pins == {1: 3, 3: 0}


def test_the_strictest_limit_of_a_column_holds():
    rules = [rule("limit", column="genre", at_most=n) for n in (3, 1, 2)]
    assert ruling(*rules, rule("limit", column="year", at_most=9)).at_most == {
        "genre": 1,
        "year": 9,
    }


def test_a_rule_that_cannot_be_applied_is_passed_over_and_counted():
    found = ruling(rule(filter="colour = 'red'"), rule(filter="year > 'x'"), rule(items=["i0"]))
    assert found.n_passed_over == 2
    assert found.hidden.tolist() == [True] + [False] * 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"action": "hide"}, "'hide' needs items or a filter"),
        ({"action": "boost", "filter": "  "}, "'boost' needs items or a filter"),
        ({"action": "pin", "filter": "year > 1"}, "'pin' needs the ids"),
        ({"action": "limit"}, "a limit needs the name of a column"),
        (
            {"action": "pin", "items": ["a"], "where": ["search"]},
            "'pin' holds in 'recommend' alone",
        ),
        (
            {"action": "limit", "column": "a", "where": ["recommend", "similar"]},
            "'limit' holds in 'recommend' alone",
        ),
        ({"action": "pin", "items": ["a"], "place": 0}, "greater than or equal to 1"),
        ({"action": "boost", "items": ["a"], "strength": 0}, "greater than 0"),
        ({"action": "boos", "items": ["a"]}, "Input should be"),
        ({"action": "hide", "items": ["a"], "color": "red"}, "Extra inputs"),
    ],
)
def test_a_rule_that_says_too_little_or_too_much_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        Rule.model_validate(values)


def test_a_filter_that_cannot_be_read_is_refused_with_its_place():
    with pytest.raises(FilterError, match="year >"):
        rule(filter="year >")


@given(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["boost", "hide"]), "items": st.just(["i0"])},
        optional={
            "strength": st.floats(0.1, 10),
            "note": st.text(max_size=20),
            "valid_until": st.just(NOW.isoformat()),
            "where": st.sampled_from([["search"], ["similar", "search"]]),
        },
    )
)
def test_a_rule_comes_back_from_the_log_as_it_was(values):
    told = Rule.model_validate(values)
    assert Rule.parse(told.as_dict()) == told
