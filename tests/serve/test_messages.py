from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longtale.serve.messages import (
    EventIn,
    RecommendQuery,
    SearchQuery,
    checked_id,
    fault,
    parsed,
    pointer_to,
)
from longtale.serve.problems import Problem


def problem_of(model, values) -> Problem:
    with pytest.raises(Problem) as caught:  # noqa: PT011  its parts are looked at
        parsed(model, values)
    return caught.value


@pytest.mark.parametrize(
    ("model", "values", "pointer", "detail", "hint"),
    [
        (RecommendQuery, {"nn": 3}, "/nn", "unknown field 'nn'", "did you mean 'n'?"),
        (
            RecommendQuery,
            {"longtail": 1},
            "/longtail",
            "unknown field",
            "did you mean 'long_tail'?",
        ),
        (RecommendQuery, {"n": 0}, "/n", "'n' is 0", "greater than or equal to 1"),
        (RecommendQuery, {"n": "many"}, "/n", "'n' is 'many'", "valid integer"),
        (RecommendQuery, {"diversity": 1.5}, "/diversity", "is 1.5", "less than or equal to 1"),
        (RecommendQuery, {"exclude": ["a", ""]}, "/exclude/1", "is ''", "at least 1 character"),
        (RecommendQuery, {"exclude": ["a\0"]}, "/exclude/0", "is 'a", "match pattern"),
        (RecommendQuery, {"at_most": {"a/b": 0}}, "/at_most/a~1b", "is 0", "greater than"),
        (RecommendQuery, {"min_seq": -1}, "/min_seq", "is -1", "greater than or equal to 0"),
        (SearchQuery, {}, "/q", "'q' is missing", "give it"),
        (SearchQuery, {"q": ""}, "/q", "'q' is ''", "at least 1 character"),
        (SearchQuery, [1], "", "'the body' is [1]", "SearchQuery"),
    ],
)
def test_a_fault_is_told_by_place_value_and_what_is_allowed(model, values, pointer, detail, hint):
    problem = problem_of(model, values)
    assert problem.pointer == pointer
    assert detail in problem.detail
    assert hint in problem.hint


def nested(depth: int, leaf: object = 1) -> object:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


@pytest.mark.parametrize("model", [EventIn, RecommendQuery])
def test_contexts_are_no_deeper_than_can_be_kept(model):
    values = {"kind": "view", "item": "i", "user": "u"} if model is EventIn else {}
    parsed(model, {**values, "context": {"a": nested(31)}})
    problem = problem_of(model, {**values, "context": {"a": nested(900)}})
    assert problem.pointer == "/context"
    assert "too deep" in problem.hint


def test_a_fault_is_told_of_values_however_deep_and_long():
    for value in (nested(5000), "x" * 10**6, {"a": nested(5000, leaf={})}, 10**400):
        problem = problem_of(RecommendQuery, {"n": value})
        assert len(problem.detail) < 200
        assert problem.pointer == "/n"


@given(st.lists(st.text(), min_size=1))
def test_a_pointer_leads_back_to_its_parts(parts):
    pointer = pointer_to(*parts)
    told = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    assert told == parts


@pytest.mark.parametrize("own_id", ["a", "a/b?c", "🎬 x", "é" * 256])
def test_an_id_may_hold_whatever_is_no_control_character(own_id):
    assert checked_id(own_id) == own_id


@pytest.mark.parametrize("own_id", ["", "a\0", "a\nb", "\x7f", "x" * 257])
def test_an_id_that_could_not_be_kept_is_refused(own_id):
    with pytest.raises(Problem, match="the id is"):
        checked_id(own_id)


def test_the_first_fault_of_a_message_is_given():
    try:
        EventIn.model_validate({"item": "i"})
    except ValidationError as error:
        found = fault(EventIn, error)
    assert (found.code, found.pointer) == ("missing_field", "/kind")
