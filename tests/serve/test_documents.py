from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.arrays import DAY, microseconds
from longtale.data.catalog import Catalog, TextField
from longtale.data.vocabulary import Vocabulary
from longtale.errors import DataError
from longtale.schema import Column, Role
from longtale.serve.documents import (
    DocumentError,
    can_be_shown,
    cells,
    document,
    frame_of,
    indexed,
    is_too_deep,
    merged,
    with_availability,
)

SCHEMA = {
    "title": pl.String(),
    "year": pl.Int16(),
    "price": pl.Float32(),
    "is_new": pl.Boolean(),
    "released": pl.Date(),
    "filmed": pl.Datetime("ns"),
    "local": pl.Datetime("us", "Europe/Vienna"),
    "tags": pl.List(pl.String()),
    "sizes": pl.List(pl.Int8()),
}
MOMENTS = st.integers(0, 100 * 366 * DAY).map(
    lambda us: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)


def catalog(schema=SCHEMA, rows=()) -> Catalog:
    frame = pl.DataFrame(list(rows), schema=schema)
    ids = Vocabulary.of([f"i{row}" for row in range(len(frame))], noun="item")
    return with_availability(Catalog(ids, frame, (TextField("title", Role.TITLE),)))


def placed(body) -> Catalog:
    """Give a catalogue of the one item that a document describes."""
    empty = catalog()
    frame = frame_of(empty, [("x", body)])
    return Catalog(Vocabulary.of(["x"], noun="item"), frame.drop("item_id"), empty.text_fields)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "title": st.text(st.characters(codec="utf-8")),
            "year": st.integers(-32768, 32767),
            "price": st.floats(width=32, allow_nan=False, allow_infinity=False),
            "is_new": st.booleans(),
            "released": st.dates(date(1, 1, 1)).map(date.isoformat),
            "tags": st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8")))),
            "sizes": st.lists(st.integers(-128, 127)),
            "hidden": st.booleans(),
        },
    )
)
def test_what_fits_comes_back_as_it_was_put(body):
    assert document(placed(body), 0) == body


@given(MOMENTS)
def test_a_time_is_one_moment_in_every_kind_of_column(moment):
    names = ("filmed", "local", Column.AVAILABLE_FROM)
    found = placed(dict.fromkeys(names, moment.isoformat())).frame
    for name in names:
        assert found[name].dt.timestamp("us")[0] == microseconds(moment)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("title", {"en": "Heat"}, "must be text or a list of texts"),
        ("title", [1], "must be text or a list of texts"),
        ("title", True, "must be text or a list of texts"),
        ("year", "1999", "must be a number"),
        ("year", True, "must be a number"),
        ("year", 1999.5, "whole number from -32768 to 32767"),
        ("year", 40_000, "whole number from -32768 to 32767"),
        ("price", float("nan"), "must be a number"),
        ("price", float("inf"), "must be a number"),
        ("price", 1e300, "must lie within"),
        ("is_new", 1, "must be true or false"),
        ("hidden", "no", "must be true or false"),
        ("released", "2024-13-01", "must be a day such as"),
        ("released", 5, "must be a day such as"),
        ("filmed", "9999-01-01T00:00:00Z", "from 1678 to 2261"),
        (Column.AVAILABLE_FROM, "soon", "must be a time such as"),
        (Column.AVAILABLE_FROM, 17, "must be a time such as"),
        (Column.AVAILABLE_UNTIL, "9999-12-31T23:59:59-23:59", "must be a time such as"),
        (Column.AVAILABLE_UNTIL, "0001-01-01T00:00:00+23:59", "must be a time such as"),
        ("tags", "drama", "must be of the catalogue's type"),
        ("tags", [{"a": 1}], "must be text or a list of texts"),
        ("sizes", [300], "whole number from -128 to 127"),
        ("sizes", [[1]], "must be a number"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(name, value, allowed):
    with pytest.raises(DocumentError, match=allowed) as caught:
        cells(catalog(), {"title": "Heat", name: value})
    assert caught.value.name == name


def test_what_does_not_fit_another_bundle_stays_behind_and_the_rest_is_placed():
    frame = frame_of(catalog(), [("x", {"title": "Heat", "year": "MCMXCV", "sizes": [1, "L"]})])
    assert frame.row(0, named=True) | {"title": "Heat", "year": None, "sizes": None} == frame.row(
        0, named=True
    )
    assert frame["item_id"].to_list() == ["x"]


def test_a_list_of_words_is_one_text_in_a_column_of_text():
    assert document(placed({"title": ["Drama", "Crime"]}), 0) == {"title": "Drama|Crime"}


def test_what_is_used_for_words_for_filters_and_only_kept_is_told():
    told = indexed(catalog(), {"title": "Heat", "year": 1995, "colour": "blue"})
    assert told.as_dict() == {"text": ["title"], "attributes": ["year"], "only_kept": ["colour"]}


@given(
    hidden=st.sampled_from([None, False, True]),
    begins=st.none() | MOMENTS,
    ends=st.none() | MOMENTS,
    at=MOMENTS,
    nudge=st.sampled_from([-1, 0, 1]),
    near=st.booleans(),
)
def test_a_document_and_its_row_are_shown_at_the_same_times(hidden, begins, ends, at, nudge, near):
    if near and begins is not None:
        at = begins + timedelta(microseconds=nudge)
    body = {Column.HIDDEN: hidden, Column.AVAILABLE_FROM: begins, Column.AVAILABLE_UNTIL: ends}
    told = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in body.items()}
    is_shown = bool(placed(told).available(microseconds(at))[0])
    assert can_be_shown(told, microseconds(at)) == is_shown
    assert is_shown == (
        not hidden and (begins is None or begins <= at) and (ends is None or at < ends)
    )


def test_what_was_taken_away_cannot_be_shown():
    assert not can_be_shown(None, 0)


def test_a_catalogue_without_any_attribute_gets_those_of_availability():
    bare = with_availability(Catalog(Vocabulary.of(["a", "b"], noun="item"), pl.DataFrame()))
    assert bare.frame.height == 2
    assert bare.available(0).tolist() == [True, True]


@pytest.mark.parametrize("column", [[None, None], [True, None]])
def test_columns_of_availability_without_any_value_can_be_put(column):
    plain = Catalog(Vocabulary.of(["a", "b"], noun="item"), pl.DataFrame({"hidden": column}))
    found = with_availability(plain)
    assert cells(found, {"hidden": True, "available_from": "2026-01-01"})["hidden"] is True
    assert with_availability(found) is found


@pytest.mark.parametrize(
    ("name", "values"), [("hidden", [0, 1]), ("available_until", ["2026-01-01", None])]
)
def test_a_column_that_only_looks_like_availability_is_refused_with_the_remedy(name, values):
    other = Catalog(Vocabulary.of(["a", "b"], noun="item"), pl.DataFrame({name: values}))
    with pytest.raises(DataError, match=f"data.items.{name} = '{name}', and train again"):
        with_availability(other)


# RFC 7396, appendix A
@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_changes_are_merged_as_the_standard_says(before, changes, after):
    assert merged(before, changes) == after


def test_depth_is_counted_where_values_stand():
    deep: object = 1
    for _ in range(32):
        deep = [deep]
    assert not is_too_deep(deep)
    assert is_too_deep({"a": deep})
    for _ in range(100_000):  # no recursion: whatever comes in is looked at
        deep = [deep]
    assert is_too_deep(deep)


def test_numbers_of_other_widths_are_held_to_their_ranges():
    wide = catalog({"title": pl.String(), "n": pl.UInt64(), "x": pl.Float64()})
    assert cells(wide, {"n": 2**64 - 1, "x": np.finfo(np.float64).max})["n"] == 2**64 - 1
    with pytest.raises(DocumentError, match="from 0 to 18446744073709551615"):
        cells(wide, {"n": -1})
