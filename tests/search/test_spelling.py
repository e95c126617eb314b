from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.catalogs import catalog_of, titled

from longtale.search.lexical import LexicalIndex, LexicalSettings
from longtale.search.spelling import Spelled, Speller, SpellingSettings, dictionary

CATALOG = titled(
    "science fiction of robots",
    "science fiction and space",
    "since yesterday",
    "since then, ever since",
    "since we met",
    "gore and violence",
    "silence on the hill",
    "cyanoacrylate glue m1234x",
    "Amélie",
    "科幻小说",
    "lamp",
    "lump of clay",
    "lump",
)


def speller(**changes: float) -> Speller:
    return Speller.of(LexicalIndex.of(CATALOG), SpellingSettings.parse(changes))


@pytest.mark.parametrize(
    "text, corrected",
    [
        ("scince fiction", "science fiction"),  # a letter is missing
        ("sciience fiction", "science fiction"),
        ("scoence fiction", "science fiction"),
        ("sceince fiction", "science fiction"),  # two letters are swapped
        ("Rbots in SPCAE", "robots in space"),
        ("cianoacrilate", "cyanoacrylate"),  # long words may be two edits away
        ("yesterd", "yesterday"),  # unfinished
    ],
)
def test_misspelled_words_become_those_of_the_catalogue(text: str, corrected: str) -> None:
    assert speller().corrected(text).text.casefold() == corrected.casefold()


@pytest.mark.parametrize(
    "text",
    [
        "science",
        "sciences, fictional robot",  # other forms of words that are there
        "amelie",
        "about whom",  # function words
        "lmp",  # too short
        "m1234y",  # no word
        "科幻小书",
        "xylophone",  # nothing is near
        "?!",
        "",
    ],
)
def test_what_is_no_misspelling_stays(text: str) -> None:
    assert speller().corrected(text) == Spelled(text, ())


def test_what_was_replaced_is_told_in_order() -> None:
    found = speller().corrected("robotz and scince fiction")
    assert found.replaced == (("robotz", "robots"), ("scince", "science"))


def test_the_rest_of_the_text_decides_between_words_that_are_as_near() -> None:
    assert speller().corrected("scince").text == "since"  # the more frequent
    assert speller().corrected("scince fiction").text == "science fiction"
    deaf = speller(context=0.0, least_lift=0.0)
    assert deaf.corrected("scince fiction").text == "since fiction"


def test_what_is_ruled_out_is_spelled_without_regard_to_what_is_wanted() -> None:
    found = speller().corrected("hill, without vilence")
    assert found.text == "hill, without violence"


def test_a_word_stays_where_no_near_one_goes_with_the_rest() -> None:
    assert speller().corrected("yesterday robotz").replaced == ()
    assert speller(least_lift=0.0).corrected("yesterday robotz").text == "yesterday robots"


def test_frequency_and_first_letter_choose_among_equals() -> None:
    index = LexicalIndex.of(titled("bamp", "bamp", "lamb"))
    assert Speller.of(index).corrected("lamp").text == "lamb"
    even = SpellingSettings(first_letter_cost=0.0)
    assert Speller.of(index, even).corrected("lamp").text == "bamp"


def test_edits_weigh_more_than_frequency_unless_they_are_cheap() -> None:
    index = LexicalIndex.of(titled("retaining", *["remaining"] * 5))
    assert Speller.of(index).corrected("retainig").text == "retaining"
    cheap = SpellingSettings(edit_cost=0.0)
    assert Speller.of(index, cheap).corrected("retainig").text == "remaining"


def test_limits_are_those_of_the_settings() -> None:
    assert speller(min_letters=3).corrected("lmp").text == "lump"
    assert speller(two_edits_from=20).corrected("cianoacrilate").replaced == ()
    assert speller(max_words=1).corrected("robotz spaace").text == "robots spaace"


def test_who_knows_the_word_has_the_last_say() -> None:
    spelled = Speller.of(LexicalIndex.of(CATALOG), is_word={"robotz"}.__contains__)
    assert spelled.corrected("robotz, spaace").text == "robotz, space"


def test_words_of_a_dictionary_stay_in_all_their_forms() -> None:
    index = LexicalIndex.of(CATALOG)
    assert Speller.of(index).corrected("lumber, limp, about").text == "lumber, lump, about"
    spelled = Speller.of(index, is_word=dictionary(["limp"]))
    assert spelled.corrected("limp, limping, lemp, about").text == "limp, limping, lump, about"


def test_parts_of_words_are_left_alone() -> None:
    assert speller().corrected("robotz xrobotz robotz2").text == "robots xrobotz robotz2"


def test_words_of_fields_without_weight_are_no_help() -> None:
    catalog = catalog_of({"title": ["space"], "tags": ["robots"]})
    spelled = Speller.of(LexicalIndex.of(catalog, LexicalSettings(tags=0.0)))
    assert spelled.corrected("spaace").text == "space"


def test_words_that_left_the_catalogue_are_no_help() -> None:
    index = LexicalIndex.of(titled("kettle", "mettle")).knowing(titled("lamp", "mettle"))
    assert Speller.of(index).corrected("kettle").text == "mettle"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_can_be_searched_for(text: str) -> None:
    found = speller().corrected(text)
    assert (found.text == text) == (not found.replaced)


def test_a_catalogue_without_words_changes_nothing() -> None:
    assert Speller.of(LexicalIndex.of(titled(None, None))).corrected("space").text == "space"
