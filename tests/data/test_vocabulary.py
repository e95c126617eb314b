from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.vocabulary import Vocabulary
from longtale.errors import DataError, UnknownIdError

IDS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, max_size=20)


def items(*ids: str) -> Vocabulary:
    return Vocabulary.of(ids, noun="item")


@given(IDS)
def test_ids_of_any_characters_come_back_from_their_rows(ids):
    vocabulary = Vocabulary.of(ids, noun="item")
    assert vocabulary.ids_of(vocabulary.rows(ids)) == ids
    assert [vocabulary.row(one_id) for one_id in ids] == list(range(len(ids)))


def test_an_unknown_id_is_row_minus_one_among_many():
    assert items("a", "b").rows(["b", "c", "a"]).tolist() == [1, -1, 0]


def test_many_ids_are_found_as_few_are():
    vocabulary = Vocabulary.of([str(n) for n in range(3000)], noun="item")
    asked = pl.Series([str(n) for n in range(2000, 4000)])
    one_by_one = [vocabulary.rows([one_id])[0] for one_id in asked]
    assert vocabulary.rows(asked).tolist() == one_by_one
    assert vocabulary.rows(asked).dtype == "int32"


def test_an_unknown_id_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownIdError, match=r"unknown item 'tt12'; there are 2 .*'tt123'\?"):
        items("tt123", "zz").row("tt12")


def test_a_repeated_id_is_refused():
    with pytest.raises(DataError, match=r"item ids must be unique .*\['b'\]"):
        items("a", "b", "b")


def test_a_missing_id_is_refused():
    with pytest.raises(DataError, match="user ids must be unique and present"):
        Vocabulary(pl.Series(["a", None]), "user")


def test_new_ids_stand_behind_the_old_ones():
    assert items("b", "a").extended(["c"]).rows(["b", "a", "c"]).tolist() == [0, 1, 2]


def test_an_id_that_exists_cannot_be_added():
    with pytest.raises(DataError, match=r"seen more than once: \['a'\]"):
        items("a").extended(["a"])


def test_same_ids_same_fingerprint():
    assert items("a", "b").fingerprint == items("a", "b").fingerprint


@pytest.mark.parametrize("other", [("b", "a"), ("ab",), ("a",), ("a", "b", ""), ("", "ab")])
def test_any_other_ids_have_another_fingerprint(other):
    assert items("a", "b").fingerprint != items(*other).fingerprint
