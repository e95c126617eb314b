"""Why an item is there or not, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_explain_says_why_an_item_is_there(films, longtale):
    first = longtale("recommend", "u2", "-n", "3", "--json").json["items"][0]
    said = longtale("explain", first["id"], "-u", "u2", "-n", "3", "--json").json
    assert said["explanation"]["place"] == 1
    assert "why_not" not in said
    shown = longtale("explain", first["id"], "-u", "u2", "-n", "3")
    assert shown.out.strip() == said["text"]
    assert said["explanation"]["item"]["title"] in shown.out


def test_explain_says_what_would_let_an_item_in(films, longtale):
    there = {item["id"] for item in longtale("recommend", "u2", "--json").json["items"]}
    every = longtale("recommend", "u2", "-n", "1000", "--json").json["items"]
    missing = next(item["id"] for item in every if item["id"] not in there)
    said = longtale("explain", missing, "-u", "u2", "--json").json
    assert said["explanation"]["place"] is None
    assert said["why_not"]["rank"] > 10
    assert "and the list has 10" in said["text"]


def test_explain_speaks_to_whom_it_is_told(films, longtale):
    first = longtale("recommend", "u2", "-n", "1", "--json").json["items"][0]["id"]
    asked = ("explain", first, "-u", "u2", "--for")
    assert "contributions" in longtale(*asked, "engineer").out
    assert "contributions" not in longtale(*asked, "user").out
    assert longtale(*asked, "user", "--language", "zh").out != longtale(*asked, "user").out
    assert longtale(*asked, "nobody").code == 2


def test_words_need_a_language_model(films, longtale):
    ran = longtale("explain", "i1", "-u", "u2", "--words", "why.html", "--json")
    assert ran.code == 2
    assert "encode.model = 'hashed' is no language model" in ran.json["error"]["message"]
    assert not Path("why.html").exists()


@pytest.mark.torch
def test_words_that_moved_an_item_are_written_as_a_page(tiny_films, longtale):
    pytest.importorskip("captum")
    assert longtale("train").code == 0
    first = longtale("recommend", "u2", "-n", "1", "--json").json["items"][0]
    asked = ("explain", first["id"], "-u", "u2", "--words", "why.html")
    said = longtale(*asked, "--json").json
    title = first["item"]["title"]
    own = [each["word"].strip(".,") for each in said["words"]]
    assert own[: len(title.split())] == title.split()
    assert any(each["share"] for each in said["words"])
    page = Path("why.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert all(f"{each['share']:+.3f}" in page for each in said["words"])
    assert "written: why.html" in longtale(*asked).out


@pytest.mark.torch
def test_words_are_not_told_by_a_model_that_did_not_read_the_items(tiny_films, longtale):
    pytest.importorskip("captum")
    assert longtale("train").code == 0
    from tests.language.tiny import tiny_encoder

    tiny_encoder(tiny_films / "tiny", ["quite", "other", "words"])
    ran = longtale("explain", "i1", "-u", "u2", "--words", "why.html", "--json")
    assert ran.code == 3
    assert "otherwise than the model of the bundle" in ran.json["error"]["message"]


@pytest.mark.torch
def test_words_are_compared_with_something(tiny_films, longtale):
    pytest.importorskip("captum")
    assert longtale("train").code == 0
    ran = longtale("explain", "i1", "--words", "why.html", "--json")
    assert ran.code == 2
    assert "nothing was asked that meaning could be compared with" in ran.json["error"]["message"]
