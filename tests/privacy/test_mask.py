from __future__ import annotations

import csv
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longtale.privacy.kind import Kind
from longtale.privacy.mask import mask, mask_values
from longtale.privacy.seeded import SeededText, seeded_texts

RECALL = 0.98


def hidden(case: SeededText) -> bool:
    """Say whether every letter and digit of the planted data was found."""
    found = {place for each in mask(case.text).found for place in range(each.start, each.end)}
    return all(
        place in found or not case.text[place].isalnum()
        for each in case.planted
        for place in range(each.start, each.end)
    )


@pytest.mark.parametrize("part", ["develop", "judge"])
def test_seeded_personal_data_of_every_kind_are_found(part, rng):
    total, found = Counter(), Counter()
    for case in seeded_texts(rng, 150 * len(Kind), part=part):
        (planted,) = case.planted
        total[planted.kind] += 1
        found[planted.kind] += hidden(case)
    recalls = {str(kind): found[kind] / total[kind] for kind in Kind}
    assert sum(found.values()) / sum(total.values()) >= RECALL, recalls
    assert min(recalls.values()) >= 0.95, recalls


def test_titles_and_tags_of_films_stay_as_they_are():
    folder = files("longtale.data") / "movielens_small"
    texts = set()
    for name, column in (("movies.csv", "title"), ("tags.csv", "tag")):
        with (folder / name).open(encoding="utf-8") as lines:
            texts |= {row[column] for row in csv.DictReader(lines)}
    assert len(texts) > 11_000
    assert {text: mask(text).text for text in texts if mask(text).found} == {}


@pytest.mark.parametrize(
    "text",
    [
        "84 Charing Cross Road",
        "I watched 10 Cloverfield Lane twice, and 21 Jump Street once",
        "My Name Is Khan",
        "I Am Sam",
        "I am Legend and The Bourne Identity",
        "Dr. Strangelove or: How I Learned to Stop Worrying",
        "Call Me by Your Name",
        "Yours, Mine and Ours",
        "Dear John",
        "Cheers, Seinfeld and Friends",
        "my name is not important",
        "Call Northside 777 (1948)",
        "Dial M for Murder, 1954",
        "《我叫刘跃进》",
        "U-571, THX 1138, Apollo 13 and 2001: A Space Odyssey",
        "ISBN 978-0-306-40615-7, EAN 4006381333931, UPC 036000291452",
        "M6 x 1.0 screws, 250/500/1000 mL, 1-1/4 in., 12 - 24 V",
        "released on 2019-12-20, seen 12.03.2021 at 20:15:30",
        "version 1.2.3.4 of firmware 10.0.0.1",
        "std::vector and a::b",
        "https://example.com/films?page=2&sort=year",
        "Top Secret: Part Two, and The Password Is Courage",
        "product name: Brass Fitting, brand name: Acme",
        "born in a small town, he moves to 5 different cities",
        "10,000 BC; 300; 1408; 127 Hours; 50/50",
    ],
)
def test_ordinary_words_stay_as_they_are(text):
    assert mask(text).text == text


@pytest.mark.parametrize(
    "text, masked",
    [
        ("ann@example.org", "[email]"),
        ("ann (at) example (dot) org", "[email]"),
        ("call 020 7946 0018 ext. 12 now", "call [phone] now"),
        ("手机１３８－００１３－８０００", "手机[phone]"),
        ("4111 1111 1111 1111", "[card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("GB82 WEST 1234 5698 7654 32", "[iban]"),
        ("GB83 WEST 1234 5698 7654 32", "GB83 WEST 1234 5698 7654 32"),
        ("from 203.0.113.7:8080", "from [ip]:8080"),
        ("from [2001:db8::17]", "from [[ip]]"),
        ("身份证11010519491231002X", "身份证[national-id]"),
        ("see https://ann:s3cret@example.org/x.", "see [url]."),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [secret]"),
        ("I live at 42 Rose Lane, Leeds LS1 4DB.", "I live at [address]."),
        ("我住在北京市海淀区中关村大街27号1101室，谢谢", "我住在[address]，谢谢"),
        ("postcode LS1 4DB", "postcode [postcode]"),
        ("born on 12 March 1985", "born on [birth-date]"),
        ("My name is Ann Lee and I read", "My name is [name] and I read"),
        ("我叫王小明，你好", "我叫[name]，你好"),
        ("Kind regards,\nAnn Lee", "Kind regards,\n[name]"),
        ("thanks @ann_reads!", "thanks [handle]!"),
    ],
)
def test_what_is_found_is_replaced_by_its_kind_and_nothing_else(text, masked):
    assert mask(text).text == masked


def test_places_are_those_of_the_text_as_it_came():
    text = "ｍａｉｌ： ann@example.org, 手机 13800138000"
    found = [(str(each.kind), text[each.start : each.end]) for each in mask(text).found]
    assert found == [("email", "ann@example.org"), ("phone", "13800138000")]


FRAGMENTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from([each.text for each in seeded_texts(np.random.default_rng(3), 130)]),
    st.sampled_from([each.values[0] for each in seeded_texts(np.random.default_rng(4), 130)]),
    st.sampled_from(
        ["[email]", "[phone]", "[", "]", "@", "+", "-", " ", ".", "\n", "1", "my name is ", "x"]
    ),
)


@settings(deadline=None)
@given(st.lists(FRAGMENTS, max_size=6).map("".join))
def test_masking_again_changes_nothing(text):
    once = mask(text)
    again = mask(once.text)
    assert again.text == once.text
    assert again.found == ()


@settings(deadline=None)
@given(st.lists(FRAGMENTS, max_size=6).map("".join))
def test_what_is_not_found_stays_letter_by_letter(text):
    masked, at, rest = mask(text), 0, ""
    for each in masked.found:
        assert at <= each.start < each.end <= len(text)
        rest += text[at : each.start] + f"[{each.kind}]"
        at = each.end
    assert rest + text[at:] == masked.text


def test_what_stands_too_close_to_something_found_is_found_too():
    assert mask("ann@example.org@ann_reads").text == "[email][handle]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON)
def test_a_json_value_keeps_its_shape_keys_and_numbers(value):
    def shape(inner):
        if isinstance(inner, dict):
            return {key: shape(each) for key, each in inner.items()}
        if isinstance(inner, list):
            return [shape(each) for each in inner]
        return "a string" if isinstance(inner, str) else inner

    assert shape(mask_values(value)) == shape(value)


def test_strings_of_a_json_value_are_masked_at_any_depth():
    value = {"ann@example.org": [{"note": "mail ann@example.org", "n": 4111111111111111}]}
    assert mask_values(value) == {
        "ann@example.org": [{"note": "mail [email]", "n": 4111111111111111}]
    }


def test_a_very_deep_value_is_masked_too():
    value: object = "ann@example.org"
    for _ in range(5_000):
        value = [value]
    masked = mask_values(value)
    while isinstance(masked, list):
        (masked,) = masked
    assert masked == "[email]"
