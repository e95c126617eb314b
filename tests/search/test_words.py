from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from longtale.search.words import are_spaced, terms_of, words_in


def words_of(text: str | None) -> list[str]:
    return words_in(pl.Series([text], dtype=pl.String))[0].to_list()


def terms(text: str) -> list[str]:
    return [term for of_word in terms_of(words_of(text)) for term, _ in of_word]


@pytest.mark.parametrize(
    "text, words",
    [
        ("The Matrix (1999)", ["the", "matrix", "1999"]),
        ("don't, O’Brien's", ["don't", "o’brien's"]),
        ("WD-40 3/4-inch_bolt", ["wd", "40", "3", "4", "inch", "bolt"]),
        ("Война и мир", ["война", "и", "мир"]),
        ("科幻小说ABC", ["科幻小说", "abc"]),
        ("コーヒー", ["コーヒー"]),
        ("한국 영화", ["한국", "영화"]),
        ("🎬 !?", []),
        ("", []),
        (None, []),
    ],
)
def test_words_are_found_in_any_script(text: str | None, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    "one, other",
    [("prints", "printing"), ("Amélie", "amelie"), ("children's", "Children"), ("ﬁne", "fine")],
)
def test_forms_of_a_word_have_one_term(one: str, other: str) -> None:
    assert terms(one) == terms(other) != []


def test_words_without_spaces_count_as_pairs_of_characters() -> None:
    assert terms("科幻小说") == ["科幻", "幻小", "小说"]
    assert terms("猫") == ["猫"]
    assert are_spaced(pl.Series(["猫", "cat"])).to_list() == [False, True]


def test_each_term_comes_with_what_was_written() -> None:
    assert terms_of(["printers", "小说家"]) == [
        [("printer", "printers")],
        [("小说", "小说"), ("说家", "说家")],
    ]


@settings(deadline=None)
@example("\u0301")  # an accent without a letter
@given(st.text())
def test_each_word_has_a_term(text: str) -> None:
    encodable = text.encode("utf-8", errors="ignore").decode()
    assert all(terms and all(term for term, _ in terms) for terms in terms_of(words_of(encodable)))
