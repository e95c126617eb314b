"""What tables and columns mean, told from their names and content."""

from __future__ import annotations

import sqlite3
import tomllib
from pathlib import Path

import pytest

from longtale.data.event import EventKind
from longtale.data.inference.infer import Finding, infer, render_toml
from longtale.data.intake.mapping import DataSettings, EventSource, ItemSource
from longtale.data.intake.prepare import read_dataset
from longtale.data.movielens import MOVIELENS_SMALL, movielens_small_settings
from longtale.errors import SourceError


def make(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def event_source(folder: Path, header: str, *rows: str) -> EventSource:
    events = infer(make(folder, log="\n".join([header, *rows]) + "\n")).settings.events
    assert events is not None
    return events


def test_bundled_movielens_is_understood_as_it_is_meant():
    assert infer(MOVIELENS_SMALL).settings == movielens_small_settings()


@pytest.mark.parametrize(
    ("header", "user", "item"),
    [
        ("userId,movieId", "userId", "movieId"),
        ("uid,iid", "uid", "iid"),
        ("customer_id,article_id", "customer_id", "article_id"),
        ("reviewerID,asin", "reviewerID", "asin"),
        ("sku,User-ID", "User-ID", "sku"),
        ("shopper_account_id,film_id", "shopper_account_id", "film_id"),
    ],
)
def test_user_and_item_are_known_by_many_names(tmp_path, header, user, item):
    events = event_source(tmp_path, header, "1,2")
    assert (events.user, events.item) == (user, item)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("timestamp", "964982703"),
        ("unixReviewTime", "1400000000"),
        ("created_at", "2023-01-01T10:00:00Z"),
        ("when", "2023-01-01 10:00:00"),
    ],
)
def test_time_is_known_by_name_or_content(tmp_path, name, cell):
    assert event_source(tmp_path, f"user_id,item_id,{name}", f"1,2,{cell}").time == name


@pytest.mark.parametrize("name", ["rating", "stars", "overallRating", "overall"])
def test_value_is_known_by_many_names(tmp_path, name):
    assert event_source(tmp_path, f"user_id,item_id,{name}", "1,2,4.5").value == name


def test_whole_position_is_the_order(tmp_path):
    assert event_source(tmp_path, "user_id,item_id,position", "1,2,0").order == "position"


def test_text_in_a_column_called_position_is_no_order(tmp_path):
    assert event_source(tmp_path, "user_id,item_id,position", "1,2,top").order is None


def test_kinds_of_ones_own_are_declared_and_pointed_out(tmp_path):
    folder = make(tmp_path, log="user_id,item_id,event\n1,2,view\n1,2,wishlist\n")
    inferred = infer(folder)
    assert [kind.name for kind in inferred.settings.kinds] == ["wishlist"]
    assert any("'wishlist'" in finding.note for finding in inferred.findings)
    assert len(read_dataset(inferred.settings, folder).dataset.interactions) == 2


@pytest.mark.parametrize(
    ("name", "weight"),
    [("add_to_cart", 2), ("Purchase", 3), ("dislike", -1), ("remove_from_cart", -1), ("zap", 1)],
)
def test_kinds_of_ones_own_weigh_what_their_names_say(tmp_path, name, weight):
    folder = make(tmp_path, log=f"user_id,item_id,event\n1,2,view\n1,2,{name}\n")
    inferred = infer(folder)
    assert [kind.weight for kind in inferred.settings.kinds] == [weight]
    block = render_toml(inferred.settings, inferred.findings).split("[[data.kinds]]")[1]
    assert f"# look: how much interest does '{name}' show?" in block.split("[data.events]")[0]


def test_line_with_too_many_cells_makes_no_kind(tmp_path):
    folder = make(tmp_path, log="user_id,item_id,event\n1,2,view\n1,2,3,view\n")
    assert infer(folder).settings.kinds == ()


def test_catalogue_without_words_is_a_catalogue(tmp_path):
    folder = make(tmp_path, log="user_id,item_id\n1,2\n", items="item_id,price\n2,9\n3,8\n")
    items = infer(folder).settings.items
    assert items == ItemSource(source="items.csv", id="item_id")


def test_what_users_say_of_themselves_is_their_text(tmp_path):
    people = "user_id,about_me\n1,I like quiet films\n2,the louder the better it is\n"
    users = infer(make(tmp_path, log="user_id,item_id\n1,2\n", people=people)).settings.users
    assert users is not None
    assert users.text == ("about_me",)


def test_id_of_items_is_the_column_that_knows_the_log(tmp_path):
    folder = make(
        tmp_path, log="user_id,product\n1,7\n1,8\n", goods="id,asin,title\n7,B1,A\n8,B2,B\n"
    )
    items = infer(folder).settings.items
    assert items is not None
    assert (items.id, items.title) == ("id", ("title",))


def test_columns_of_words_get_their_roles(tmp_path):
    text = "item_id,name,brand,genres,keywords,overview,year\n1,N,B,G,K,O,1990\n"
    items = infer(make(tmp_path, items=text)).settings.items
    assert items == ItemSource(
        source="items.csv",
        id="item_id",
        title="name",
        creator="brand",
        category="genres",
        tags="keywords",
        description="overview",
    )


def test_users_table_is_found(tmp_path):
    folder = make(tmp_path, log="user_id,item_id\n1,2\n", people="user_id,age\n1,30\n2,40\n")
    users = infer(folder).settings.users
    assert users is not None
    assert (users.source, users.id) == ("people.csv", "user_id")


def test_slates_beside_a_log_are_impressions(tmp_path):
    folder = make(
        tmp_path,
        log="user_id,item_id,event_type\n1,2,click\n",
        shown="slate_id,user_id,item_id,rank,propensity\ns,1,2,1,0.5\n",
    )
    shown = infer(folder).settings.impressions
    assert shown is not None
    assert (shown.slate, shown.rank, shown.propensity) == ("slate_id", "rank", "propensity")


def test_what_is_unsure_or_unused_is_said(tmp_path):
    folder = make(
        tmp_path,
        log="member_login_id,film_id\n1,2\n",
        odd="a,b\n1,2\n",
    )
    notes = " ".join(finding.note for finding in infer(folder).findings)
    assert "is 'member_login_id' the user's id?" in notes
    assert "'odd' is not used" in notes
    assert "neither time nor order" in notes


def test_file_that_cannot_be_read_does_not_stop_the_rest(tmp_path):
    make(tmp_path, log="user_id,item_id\n1,2\n", empty="")
    notes = " ".join(finding.note for finding in infer(tmp_path).findings)
    assert "empty.csv' is empty" in notes


def test_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no table at all"):
        infer(tmp_path)


def test_folder_of_broken_tables_says_what_is_broken(tmp_path):
    with pytest.raises(SourceError, match=r"log\.csv' is empty"):
        infer(make(tmp_path, log=""))


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="there is no folder"):
        infer(tmp_path / "nowhere")


def test_tables_that_mean_nothing_are_named(tmp_path):
    with pytest.raises(SourceError, match="'odd' has a, b"):
        infer(make(tmp_path, odd="a,b\n1,2\n"))


def test_database_is_understood(tmp_path):
    pytest.importorskip("sqlalchemy")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table goods (id integer, title text)")
        connection.execute("create table purchases (customer_id text, product_id int, bought_at)")
        connection.execute("insert into goods values (1, 'One'), (2, 'Two')")
        connection.execute("insert into purchases values ('A', 1, '2023-01-01 10:00:00')")
    connection.close()
    settings = infer(f"sqlite:///{tmp_path / 'shop.db'}").settings
    assert settings.events is not None
    assert settings.items is not None
    assert (settings.events.table, settings.items.table) == ("purchases", "goods")
    assert settings.events.time == "bought_at"
    assert settings.events.default_kind == "buy"
    assert len(read_dataset(settings, tmp_path).dataset.interactions) == 1


def test_written_settings_read_back_the_same(tmp_path):
    folder = make(
        tmp_path,
        log='user_id,item_id,event\n1,2,"odd ""kind"" 🦊"\n',
        items="item_id,title,brand,studio\n2,T,B,S\n",
    )
    inferred = infer(folder)
    text = render_toml(inferred.settings, inferred.findings)
    assert DataSettings.parse(tomllib.loads(text)["data"]) == inferred.settings


def test_every_line_that_is_commented_out_can_be_used(tmp_path):
    settings = DataSettings(
        kinds=(EventKind(name="zap"),), events=EventSource(source="e.csv", user="u", item="i")
    )
    commented = [line[2:] for line in render_toml(settings).splitlines() if line[:2] == "# "]
    assert any(line.startswith("min_value = 0.0") for line in commented)
    for line in commented:
        tomllib.loads(line)


def test_findings_stand_in_their_section_as_comments():
    settings = DataSettings(events=EventSource(source="e.csv", user="u", item="i"))
    text = render_toml(settings, [Finding("events", "is 'u' the user's id?")])
    head, events = text.split("[data.events]")
    assert "# look: is 'u' the user's id?" in events
    assert "look" not in head
