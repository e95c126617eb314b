from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from longtale.data.catalog import Catalog, TextField, frame_hash
from longtale.data.filters.filter import parse_filter
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.errors import ColumnError, DataError
from longtale.schema import Role

NEW_YEAR = 1_577_836_800_000_000
"""2020-01-01, microseconds UTC."""


def catalog(**columns: object) -> Catalog:
    frame = pl.DataFrame({"title": ["Orbit", None, "Bread"], "year": [1990, 2000, None], **columns})
    return Catalog(
        Vocabulary.of(["a", "b", "c"], noun="item"), frame, (TextField("title", Role.TITLE),)
    )


def day(n: int, *, zone: dt.tzinfo | None = None) -> dt.datetime:
    return dt.datetime(2020, 1, n, tzinfo=zone)


def test_an_item_without_a_title_is_shown_by_its_id():
    assert catalog().titles() == ["Orbit", "b", "Bread"]


def test_items_are_shown_by_their_ids_where_there_is_no_title_at_all():
    assert replace(catalog(), text_fields=()).titles() == ["a", "b", "c"]


def test_texts_come_with_their_roles():
    assert catalog().texts() == [(Role.TITLE, ["Orbit", None, "Bread"])]


def test_a_text_field_must_be_a_column():
    with pytest.raises(ColumnError, match=r"text fields \['plot'\] are not columns"):
        replace(catalog(), text_fields=(TextField("plot", Role.DESCRIPTION),))


def test_every_item_needs_its_row():
    with pytest.raises(DataError, match=r"3 item ids, but 2 rows"):
        replace(catalog(), frame=catalog().frame.head(2))


def test_attributes_can_be_filtered():
    assert catalog().matching(parse_filter("year >= 1995")).tolist() == [False, True, False]


def test_taken_items_keep_their_attributes():
    taken = catalog().take(np.array([2, 0]))
    assert taken.items.ids.to_list() == ["c", "a"]
    assert taken.titles() == ["Bread", "Orbit"]


def test_new_items_stand_behind_the_old_ones():
    new = Catalog(Vocabulary.of(["d"], noun="item"), pl.DataFrame({"title": ["Kiss"], "x": [1]}))
    grown = catalog().extended(new)
    assert grown.titles() == ["Orbit", "b", "Bread", "Kiss"]
    assert grown.frame["year"].to_list() == [1990, 2000, None, None]


def test_tags_become_a_text_field_once():
    tags = Tags(
        np.array([2, 2, 2, 0], dtype=np.int32), pl.Series(["Slow", "cosy", "cosy", "space"])
    )
    tagged = catalog().with_tags(tags).with_tags(tags)
    assert tagged.frame["tags"].to_list() == ["space", None, "cosy|slow"]
    assert [field.role for field in tagged.text_fields] == [Role.TITLE, Role.TAGS]


def test_everything_is_available_where_nothing_is_said():
    assert not catalog().has_availability
    assert catalog().available(NEW_YEAR).tolist() == [True, True, True]


@pytest.mark.parametrize("zone", [None, dt.UTC, dt.timezone(dt.timedelta(0), "UTC")])
def test_an_item_is_available_from_its_first_moment_to_its_last(zone):
    timed = catalog(
        available_from=[day(1, zone=zone), day(2, zone=zone), None],
        available_until=[None, None, day(1, zone=zone)],
    )
    assert timed.has_availability
    assert timed.available(NEW_YEAR).tolist() == [True, False, False]
    assert timed.available(NEW_YEAR - 1).tolist() == [False, False, True]


def test_times_of_another_zone_are_understood():
    in_tokyo = pl.Series([day(1)] * 3).dt.replace_time_zone("Asia/Tokyo")
    assert catalog(available_from=in_tokyo).available(NEW_YEAR - 9 * 3_600_000_000).all()
    assert not catalog(available_from=in_tokyo).available(NEW_YEAR - 9 * 3_600_000_001).any()


def test_a_date_means_its_first_moment():
    dated = catalog(available_from=[dt.date(2020, 1, 1)] * 3)
    assert dated.available(NEW_YEAR).all()
    assert not dated.available(NEW_YEAR - 1).any()


def test_a_hidden_item_is_not_available():
    assert catalog(hidden=[True, False, None]).available(NEW_YEAR).tolist() == [False, True, True]


@pytest.mark.parametrize("dtype", [pl.Null, pl.Boolean])
def test_columns_without_any_value_hide_nothing(dtype):
    empty = catalog(
        hidden=pl.Series([None] * 3, dtype=dtype),
        available_from=pl.Series([None] * 3, dtype=pl.Null),
        available_until=pl.Series([None] * 3, dtype=pl.Datetime("us")),
    )
    assert empty.available(NEW_YEAR).tolist() == [True, True, True]


def test_same_content_same_fingerprint_however_it_lies_in_memory():
    frame = catalog().frame
    in_chunks = pl.concat([frame[:1], frame[1:]], rechunk=False)
    sliced = pl.concat([frame, frame])[3:]
    veiled = frame.with_columns(year=pl.when(pl.col("year").is_not_null()).then("year"))
    for other in (in_chunks, sliced, veiled, frame[[2, 1, 0]][[2, 1, 0]]):
        assert replace(catalog(), frame=other).fingerprint == catalog().fingerprint


@pytest.mark.parametrize(
    "frame",
    [
        catalog().frame.with_columns(year=pl.lit(1990)),
        catalog().frame.with_columns(pl.col("year").cast(pl.Int32)),
        catalog().frame.rename({"year": "made"}),
        catalog().frame.reverse(),
    ],
)
def test_any_change_of_the_attributes_changes_the_fingerprint(frame):
    assert replace(catalog(), frame=frame).fingerprint != catalog().fingerprint


def test_the_role_of_a_text_is_part_of_the_fingerprint():
    other = replace(catalog(), text_fields=(TextField("title", Role.DESCRIPTION),))
    assert other.fingerprint != catalog().fingerprint


def test_bytes_can_be_hashed():
    assert frame_hash(pl.DataFrame({"a": [b"\xff"]})) != frame_hash(pl.DataFrame({"a": [b"\xfe"]}))


def test_items_that_are_described_anew_lose_what_is_not_said_again_and_others_nothing():
    before = catalog()
    told = pl.DataFrame({"year": [7, 8], "unknown": ["x", "y"]})
    after = before.described_anew([2, 0], told)
    assert after.frame["year"].to_list() == [8, before.frame["year"][1], 7]
    assert after.frame["title"].to_list() == [None, before.frame["title"][1], None]
    assert after.frame.schema == before.frame.schema
    assert after.items is before.items
    assert before.frame["year"].to_list() == catalog().frame["year"].to_list()


def test_a_description_is_brought_to_the_types_of_the_catalogue():
    before = catalog()
    after = before.described_anew([1], pl.DataFrame({"year": [7.0]}))
    assert after.frame.schema["year"] == before.frame.schema["year"]
    assert after.frame["year"][1] == 7
