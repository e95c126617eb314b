"""Reading tables into a dataset: what is kept, in which order, in which form."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from longtale.data.event import EventKind
from longtale.data.intake.mapping import (
    DataSettings,
    EventSource,
    ImpressionSource,
    ItemSource,
    TagSource,
    UserSource,
)
from longtale.data.intake.prepare import Intake, read_dataset
from longtale.errors import SettingsError
from longtale.schema import Role

NOW = 1_800_000_000_000_000


def events_from(folder: Path, text: str, **columns: object) -> Intake:
    (folder / "events.csv").write_text(text, encoding="utf-8")
    source = EventSource.model_validate(
        {"source": "events.csv", "user": "u", "item": "i", **columns}
    )
    return read_dataset(DataSettings(events=source, max_bad_share=1), folder, now=NOW)


def history(intake: Intake, user: str) -> list[str]:
    dataset = intake.dataset
    items = dataset.histories(dataset.users.rows([user])).items
    return dataset.items.ids_of(items)


def test_rows_become_histories_oldest_first(tmp_path):
    intake = events_from(tmp_path, "u,i,t\nA,x,30\nB,y,10\nA,z,20\n", time="t")
    assert history(intake, "A") == ["z", "x"]
    assert history(intake, "B") == ["y"]


def test_equal_times_keep_the_order_of_the_file_not_of_the_ids(tmp_path):
    intake = events_from(tmp_path, "u,i,t\nA,z,5\nA,m,5\nA,a,5\n", time="t")
    assert history(intake, "A") == ["z", "m", "a"]


def test_order_column_breaks_equal_times(tmp_path):
    text = "u,i,t,n\nA,z,5,2\nA,m,5,1\nA,a,4,9\n"
    assert history(events_from(tmp_path, text, time="t", order="n"), "A") == ["a", "m", "z"]


def test_order_alone_sorts_and_leaves_no_times(tmp_path):
    intake = events_from(tmp_path, "u,i,n\nA,z,10\nA,m,9\n", order="n")
    assert history(intake, "A") == ["m", "z"]
    assert not intake.dataset.has_times
    assert any("cannot be cut at a time" in warning for warning in intake.report.warnings)


def test_without_time_and_order_the_file_is_oldest_first(tmp_path):
    assert history(events_from(tmp_path, "u,i\nA,z\nA,m\nA,z\n"), "A") == ["z", "m", "z"]


@pytest.mark.parametrize(
    "cell",
    [
        "1700000000",
        "1700000000.0",
        "1700000000000",
        "1700000000000000",
        "2023-11-14T22:13:20Z",
        "2023-11-14 22:13:20",
        "2023-11-14T22:13:20.000",
        "2023-11-15T00:13:20+02:00",
        "2023-11-14T17:13:20-0500",
        "2023-11-14 22:13:20 UTC",
    ],
)
def test_each_way_to_write_a_time_is_the_same_moment(tmp_path, cell):
    times = events_from(tmp_path, f"u,i,t\nA,x,{cell}\n", time="t").dataset.interactions.times
    assert times is not None
    assert times.tolist() == [1_700_000_000_000_000]


def test_a_day_is_its_midnight(tmp_path):
    times = events_from(tmp_path, "u,i,t\nA,x,1970-01-03\n", time="t").dataset.interactions.times
    assert times is not None
    assert times.tolist() == [2 * 86_400_000_000]


def test_stated_unit_overrides_the_guess(tmp_path):
    intake = events_from(tmp_path, "u,i,t\nA,x,1000\n", time="t", time_unit="ms")
    times = intake.dataset.interactions.times
    assert times is not None
    assert times.tolist() == [1_000_000]


def test_parquet_times_with_zone_become_utc(tmp_path):
    times = pl.Series("t", [1_700_000_000_000], dtype=pl.Datetime("ms", "Europe/Berlin"))
    pl.DataFrame({"u": [1], "i": [2], "t": times}).write_parquet(tmp_path / "e.parquet")
    source = EventSource(source="e.parquet", user="u", item="i", time="t")
    dataset = read_dataset(DataSettings(events=source), tmp_path, now=NOW).dataset
    assert dataset.interactions.times is not None
    assert dataset.interactions.times.tolist() == [1_700_000_000_000_000]


def test_ids_are_kept_to_the_letter_but_for_surrounding_space(tmp_path):
    ids = ["a b", "🦊", "שלום", "e\u0301", "007"]
    intake = events_from(tmp_path, "u,i\n" + "".join(f"  {one} ,x\n" for one in ids))
    assert intake.dataset.users.ids.to_list() == ids


def test_float_ids_of_a_text_file_are_whole_numbers(tmp_path):
    assert events_from(tmp_path, "u,i\n1.0,x\n12.0,x\n").dataset.users.ids.to_list() == ["1", "12"]


def test_text_ids_that_only_look_like_floats_stay(tmp_path):
    assert events_from(tmp_path, "u,i\n1.0,x\n1.1,x\n").dataset.users.ids.to_list() == [
        "1.0",
        "1.1",
    ]


def test_float_column_and_integer_column_name_the_same_item(tmp_path):
    pl.DataFrame({"u": [1.0], "i": [7.0]}).write_parquet(tmp_path / "e.parquet")
    pl.DataFrame({"id": [7], "title": ["Seven"]}).write_parquet(tmp_path / "i.parquet")
    settings = DataSettings(
        events=EventSource(source="e.parquet", user="u", item="i"),
        items=ItemSource(source="i.parquet", id="id", title=("title",)),
    )
    dataset = read_dataset(settings, tmp_path).dataset
    assert dataset.items.ids.to_list() == ["7"]
    assert dataset.users.ids.to_list() == ["1"]


def test_kinds_weigh_events_and_part_dismissals(tmp_path):
    text = "u,i,k\nA,x,buy\nA,y,dismiss\nA,z,\n"
    dataset = events_from(tmp_path, text, kind="k", default_kind="view").dataset
    assert dataset.interactions.histories.weights.tolist() == [3.0, 0.5]
    assert dataset.items.ids_of(dataset.dismissals.items) == ["y"]
    assert [dataset.kinds[k] for k in dataset.interactions.kinds] == ["buy", "view"]


def test_low_value_is_seen_but_shows_no_interest(tmp_path):
    (tmp_path / "e.csv").write_text("u,i,v\nA,x,29\nA,y,30\nA,z,\n")
    settings = DataSettings(
        events=EventSource(source="e.csv", user="u", item="i", value="v", default_kind="watch"),
        kinds=(EventKind(name="watch", weight=2, min_value=30),),
    )
    dataset = read_dataset(settings, tmp_path).dataset
    assert dataset.items.ids_of(dataset.interactions.items) == ["y", "z"]
    assert dataset.interactions.histories.weights.tolist() == [2, 2]
    assert dataset.items.ids_of(dataset.dismissals.items) == ["x"]
    assert dataset.dismissals.histories.weights.tolist() == [0]


def test_same_event_id_twice_is_once_and_counted(tmp_path):
    text = "u,i,e\nA,x,1\nA,x,1\nA,x,\nA,x,\n"
    intake = events_from(tmp_path, text, event_id="e")
    assert len(intake.dataset.interactions) == 3
    assert intake.report.tables[0].n_duplicates == 1


def test_catalogue_comes_first_and_unlisted_items_follow_without_words(tmp_path):
    (tmp_path / "i.csv").write_text("id,name,year\nq,Queen,1990\nx,Xena,\n")
    (tmp_path / "e.csv").write_text("u,i\nA,new\nA,x\n")
    settings = DataSettings(
        events=EventSource(source="e.csv", user="u", item="i"),
        items=ItemSource(source="i.csv", id="id", title=("name",)),
    )
    intake = read_dataset(settings, tmp_path)
    dataset = intake.dataset
    assert dataset.items.ids.to_list() == ["q", "x", "new"]
    assert dataset.catalog.titles() == ["Queen", "Xena", "new"]
    assert dataset.catalog.frame["year"].to_list() == [1990, None, None]
    assert "1 items of the events are not in the catalogue" in intake.report.warnings[0]
    assert any("1 of 3 items have no text" in warning for warning in intake.report.warnings)


def test_text_fields_have_their_roles(tmp_path):
    (tmp_path / "i.csv").write_text("id,t,d1,d2\n1,T,D,\n")
    source = ItemSource(source="i.csv", id="id", title="t", description=["d1", "d2"])
    catalog = read_dataset(DataSettings(items=source), tmp_path).dataset.catalog
    assert catalog.texts() == [
        (Role.TITLE, ["T"]),
        (Role.DESCRIPTION, ["D"]),
        (Role.DESCRIPTION, [None]),
    ]


def test_attributes_get_the_type_that_holds_all_of_them(tmp_path):
    (tmp_path / "i.csv").write_text("id,year,price,code,mixed\n1,1990,1.5,007,3\n2,,inf,12,x\n")
    source = ItemSource(source="i.csv", id="id")
    frame = read_dataset(DataSettings(items=source), tmp_path).dataset.catalog.frame
    assert frame.schema == {
        "year": pl.Int64,
        "price": pl.Float64,
        "code": pl.String,
        "mixed": pl.String,
    }
    assert frame["price"].to_list() == [1.5, None]


def test_availability_and_hiding_are_read(tmp_path):
    (tmp_path / "i.csv").write_text("id,from,to,off\n1,2020-01-01,,no\n2,,2019-01-01,\n3,,,TRUE\n")
    source = ItemSource(
        source="i.csv", id="id", available_from="from", available_until="to", hidden="off"
    )
    catalog = read_dataset(DataSettings(items=source), tmp_path).dataset.catalog
    assert catalog.available(1_600_000_000_000_000).tolist() == [True, False, False]
    assert catalog.available(0).tolist() == [False, True, False]


def test_users_bring_attributes_and_may_have_no_events(tmp_path):
    (tmp_path / "u.csv").write_text("name,age\nB,30\nC,40\n")
    (tmp_path / "e.csv").write_text("u,i\nA,x\nB,x\n")
    settings = DataSettings(
        events=EventSource(source="e.csv", user="u", item="i"),
        users=UserSource(source="u.csv", id="name"),
    )
    intake = read_dataset(settings, tmp_path)
    assert intake.dataset.users.ids.to_list() == ["B", "C", "A"]
    assert intake.dataset.profiles["age"].to_list() == [30, 40, None]
    assert "1 of 3 users have no events" in intake.report.warnings


def test_tags_become_the_words_of_items_with_their_times(tmp_path):
    (tmp_path / "i.csv").write_text("id\n1\n2\n")
    (tmp_path / "t.csv").write_text("m,w,t\n1,funny,10\n9,lost,10\n1,,10\n1,Odd,20\n")
    settings = DataSettings(
        items=ItemSource(source="i.csv", id="id"),
        tags=TagSource(source="t.csv", item="m", tag="w", time="t"),
        max_bad_share=1,
    )
    intake = read_dataset(settings, tmp_path)
    assert intake.dataset.catalog.frame["tags"].to_list() == ["funny|odd", None]
    assert intake.dataset.tags.times is not None
    assert intake.dataset.tags.times.tolist() == [10_000_000, 20_000_000]
    reasons = {refusal.reason: refusal.count for refusal in intake.report.tables[-1].refusals}
    assert reasons == {"unknown item": 1, "blank tag": 1}


def test_impressions_are_read_with_rank_and_propensity(tmp_path):
    (tmp_path / "s.csv").write_text("s,u,i,r,p\ns1,A,x,1,0.5\ns1,A,y,2,\n")
    (tmp_path / "e.csv").write_text("u,i\nA,x\n")
    settings = DataSettings(
        events=EventSource(source="e.csv", user="u", item="i"),
        impressions=ImpressionSource(
            source="s.csv", slate="s", user="u", item="i", rank="r", propensity="p"
        ),
    )
    dataset = read_dataset(settings, tmp_path).dataset
    shown = dataset.impressions
    assert shown.slates.to_list() == ["s1", "s1"]
    assert dataset.items.ids_of(shown.items) == ["x", "y"]
    assert shown.ranks.tolist() == [1, 2]
    np.testing.assert_array_equal(shown.propensities, np.array([0.5, np.nan], dtype=np.float32))


def test_events_that_know_their_slate_are_impressions(tmp_path):
    text = "u,i,s,r\nA,x,s1,3\nA,x,s1,3\nA,y,,\n"
    dataset = events_from(tmp_path, text, slate="s", rank="r").dataset
    assert dataset.impressions.slates.to_list() == ["s1"]
    assert dataset.impressions.ranks.tolist() == [3]
    assert len(dataset.interactions) == 3


def test_same_files_give_the_same_dataset(tmp_path):
    text = "u,i,t\n" + "".join(f"u{n % 7},i{n % 5},{n // 3}\n" for n in range(500))
    prints = {events_from(tmp_path, text, time="t").dataset.fingerprint for _ in range(3)}
    assert len(prints) == 1


def test_settings_without_any_table_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"neither \[data.events\] nor \[data.items\]"):
        read_dataset(DataSettings(), tmp_path)


def test_unknown_default_kind_is_refused_with_the_nearest():
    values = {"events": {"source": "e.csv", "user": "u", "item": "i", "default_kind": "clik"}}
    with pytest.raises(SettingsError, match="did you mean 'click'"):
        DataSettings.parse(values)


def test_decimals_of_the_catalogue_are_numbers(tmp_path):
    frame = pl.DataFrame({"id": ["a"], "price": [Decimal("130.77")]})
    frame.write_parquet(tmp_path / "i.parquet")
    source = ItemSource(source="i.parquet", id="id")
    catalog = read_dataset(DataSettings(items=source), tmp_path).dataset.catalog
    assert catalog.frame["price"].to_list() == [130.77]
