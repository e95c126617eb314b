"""Asking: slates for people and for scripts, and every way to ask wrongly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.cli.films import EMOJI_USER, RIGHT_TO_LEFT_ITEM, UNTOUCHED_ITEM, USER_WITH_SPACES


def ids_of(slate):
    return [item["id"] for item in slate["items"]]


def test_recommend_gives_json_as_the_service_does(films, longtale):
    ran = longtale("recommend", "u2", "-n", "3", "--json")
    assert ran.code == 0
    slate = ran.json
    assert set(slate) == {
        "slate_id",
        "model_version",
        "seq",
        "took_ms",
        "stages",
        "degraded",
        "items",
    }
    assert [item["rank"] for item in slate["items"]] == [1, 2, 3]
    assert set(slate["items"][0]) == {
        "id",
        "score",
        "rank",
        "sources",
        "weights",
        "propensity",
        "band",
        "reasons",
        "item",
    }


def test_recommend_shows_titles_and_reasons(films, longtale):
    ran = longtale("recommend", "u2")
    assert ran.code == 0
    assert "for u2, who last liked" in ran.out
    assert "The comet space" in ran.out
    assert "\x1b" not in ran.out, "no colours in a pipe"


def test_recommend_needs_no_user(films, longtale):
    assert len(longtale("recommend", "--json").json["items"]) == 10


def test_recommend_hears_words(films, longtale):
    slate = longtale("recommend", "--text", "rocket comet", "-n", "3", "--json").json
    assert UNTOUCHED_ITEM in ids_of(slate)


def test_recommend_goes_on_from_a_history(films, longtale):
    slate = longtale("recommend", "--history", "i8", "--history", "i9", "-n", "3", "--json").json
    assert {item["item"]["genres"] for item in slate["items"]} == {"love"}
    assert not {"i8", "i9"} & set(ids_of(slate))


def test_recommend_keeps_to_filter_and_exclusions(films, longtale):
    slate = longtale(
        "recommend", "u2", "--filter", "year < 1990", "--exclude", "i9", "-n", "50", "--json"
    ).json
    assert slate["items"]
    assert all(item["item"]["year"] < 1990 for item in slate["items"])
    assert "i9" not in ids_of(slate)


@pytest.mark.parametrize("user", [USER_WITH_SPACES, EMOJI_USER])
def test_odd_users_are_shown_as_they_are(films, longtale, user):
    ran = longtale("recommend", user)
    assert ran.code == 0
    assert f"for {user}, who last liked" in ran.out


def test_right_to_left_ids_come_back_unchanged(films, longtale):
    ran = longtale("search", "galaxy", "--json")
    assert ids_of(ran.json)[0] == RIGHT_TO_LEFT_ITEM
    assert f'"{RIGHT_TO_LEFT_ITEM}"' in ran.out, "readable in JSON too"
    assert RIGHT_TO_LEFT_ITEM in longtale("search", "galaxy").out


def test_a_terminal_without_unicode_gets_escapes(films):
    ran = subprocess.run(
        [sys.executable, "-c", "from longtale.cli.main import main; main()", "search", "galaxy"],
        cwd=films,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert RIGHT_TO_LEFT_ITEM.encode("ascii", "backslashreplace").decode() in ran.stdout


def test_similar_leaves_the_item_itself_out(films, longtale):
    slate = longtale("similar", UNTOUCHED_ITEM, "-n", "50", "--json").json
    assert UNTOUCHED_ITEM not in ids_of(slate)
    assert slate["items"][0]["item"]["genres"] == "space"


def test_search_heeds_the_taste_of_a_user(films, longtale):
    ran = longtale("search", "the", "--user", "u2", "--personal", "1", "--json")
    assert ran.code == 0
    assert "taste" in ran.json["items"][0]["sources"]


def test_a_slate_is_never_longer_than_the_catalogue(films, longtale):
    slate = longtale("recommend", "-n", "1000", "--json").json
    assert len(slate["items"]) == 17


def test_a_filter_that_lets_nothing_through_gives_an_empty_slate(films, longtale):
    ran = longtale("recommend", "--filter", "year > 3000")
    assert ran.code == 0
    assert "no item is left" in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "message"),
    [
        (("recommend", "nobody"), 4, "UnknownIdError", "unknown user 'nobody'"),
        (("similar", "nothing"), 4, "UnknownIdError", "unknown item 'nothing'"),
        (("recommend", "--exclude", "no"), 4, "UnknownIdError", "unknown item 'no'"),
        (("recommend", "-n", "0"), 2, "QueryError", "n is 0"),
        (("recommend", "-n", "ten"), 2, "BadParameter", "valid integer"),
        (("search", "  "), 2, "QueryError", "blank"),
        (("search", "x", "--personal", "2"), 2, "QueryError", "personal is 2"),
        (("recommend", "--filter", "yeer > 3"), 2, "FilterError", "yeer"),
        (("recommend", "--filter", "year >"), 2, "FilterError", "found the end"),
        (("recommend", "--config", "no.toml"), 2, "SettingsError", "longtale init"),
        (("recommend", "--bundle", "nowhere"), 5, "BundleFormatError", "longtale train"),
        (("recommend", "--colour"), 2, "NoSuchOption", "--colour"),
        (("similar",), 2, "MissingParameter", "item"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(films, longtale, arguments, code, kind, message):
    ran = longtale(*arguments, "--json")
    assert ran.code == code
    error = ran.json["error"]
    assert (error["type"], error["exit_code"]) == (kind, code)
    assert message in error["message"]
    for_people = longtale(*arguments)
    assert for_people.code == code
    assert message in for_people.err
    assert for_people.out == ""


def test_a_corrupted_bundle_is_refused(films, longtale):
    part = films / "bundle" / "vectors.safetensors"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    ran = longtale("recommend", "u2", "--json")
    assert ran.code == 5
    assert ran.json["error"]["type"] == "BundleCorruptError"


def test_a_bundle_answers_without_its_settings(films, longtale):
    (films / "longtale.toml").unlink()
    assert longtale("recommend", "u2", "--bundle", "bundle", "--json").code == 0


def test_recommend_loads_neither_torch_nor_transformers(films):
    code = (
        "import sys; from longtale.cli.main import run; code = run(['recommend', 'u2', '--json']);"
        "loaded = {'torch', 'transformers', 'openvino'} & set(sys.modules);"
        "sys.exit(code or ', '.join(loaded) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=films, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
