from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.search.intent import Wish, parse_wish


@pytest.mark.parametrize(
    "text, likes, dislikes",
    [
        ("slow-burn science fiction, no war", "slow-burn science fiction", "war"),
        ("quiet films that are not too violent", "quiet films", "violent"),
        ("a comedy without romance", "a comedy", "romance"),
        ("nothing with zombies", "", "zombies"),
        ("nothing like Star Wars", "", "Star Wars"),
        ("space; no more superheroes", "space", "superheroes"),
        ("less gore, fewer songs", "", "gore, songs"),
        ("comedy but not musicals", "comedy", "musicals"),
        ("everything except for horror", "everything", "horror"),
        ("anything but horror", "", "horror"),
        ("I don't want to see any musicals, please", "", "musicals"),
        ("I don’t like clowns", "", "clowns"),
        ("It should not be violent", "", "violent"),
        ("robots, avoid gore", "robots", "gore"),
        ("drama (I really hate clowns)", "drama", "clowns"),
        ("neither war nor romance", "", "war, romance"),
        ("tired of sequels", "", "sequels"),
        ("films with no war", "films", "war"),
    ],
)
def test_negation_opens_a_dislike(text, likes, dislikes):
    assert parse_wish(text) == Wish(likes, dislikes)


@pytest.mark.parametrize(
    "text, likes, dislikes",
    [
        ("no war, robots", "robots", "war"),
        ("no war; robots", "robots", "war"),
        ("no war. Robots please", "Robots", "war"),
        ("no war\n\nrobots", "robots", "war"),
        ("no war — robots", "robots", "war"),
        ("sci-fi (no war) with robots", "sci-fi, with robots", "war"),
        ("no war but robots", "robots", "war"),
        ("not scary, however dark", "dark", "scary"),
        ("no war and with robots", "with robots", "war"),
        ("no gore and more jokes", "more jokes", "gore"),
        ("no war I want robots", "I want robots", "war"),
        ("no war and violence", "", "war and violence"),
        ("no sequels to version 2.5 of it, robots", "robots", "sequels to version 2.5 of it"),
        ("Mr. Nobody, no war", "Mr. Nobody", "war"),
    ],
)
def test_dislike_ends_where_its_scope_does(text, likes, dislikes):
    assert parse_wish(text) == Wish(likes, dislikes)


@pytest.mark.parametrize(
    "text, likes, dislikes",
    [
        ("科幻片，不要太暴力", "科幻片", "暴力"),
        ("我喜欢科幻，但不要恐怖的", "我喜欢科幻", "恐怖"),
        ("没有战争的科幻片", "科幻片", "战争"),
        ("不太暴力的科幻片", "科幻片", "暴力"),
        ("我不想看恐怖片", "", "恐怖片"),
        ("别给我推荐爱情片，想看喜剧", "想看喜剧", "爱情片"),
        ("特别好看的科幻，别太血腥", "特别好看的科幻", "血腥"),
        ("不但好看，不要战争", "不但好看", "战争"),
        ("不要恐怖、暴力。要安静", "要安静", "恐怖、暴力"),
        ("我不喜欢战争但是喜欢机器人", "喜欢机器人", "战争"),
    ],
)
def test_chinese_negation_opens_a_dislike(text, likes, dislikes):
    assert parse_wish(text) == Wish(likes, dislikes)


@pytest.mark.parametrize(
    "text, dislikes",
    [
        ("films like No Country for Old Men, no gore", "gore"),
        ("films like 10 Things I Hate About You, no gore", "gore"),
        ("films like “No Escape”, no gore", "gore"),
        ('films like "Without Remorse", no gore', "gore"),
        ("films like 《别告诉她》, no gore", "gore"),
    ],
)
def test_titles_that_begin_with_a_negation_stay_whole(text, dislikes):
    assert parse_wish(text) == Wish(text.partition(",")[0], dislikes)


@pytest.mark.parametrize("text", ["No war", "NO WAR", "No War", "No war on Star Destroyers"])
def test_a_capital_alone_makes_no_title(text):
    assert parse_wish(text) == Wish("", text[3:])


@pytest.mark.parametrize(
    "text",
    [
        "No Time to Die",
        "Dr. No",
        "Much Ado About Nothing",
        "a no-nonsense thriller, not-so-serious",
        "less than 90 minutes",
        "lesser-known, less popular films",
        "nothing but comedies",
        "not only funny but clever",
        "it is not bad",
        "can't get enough of robots",
        "northern noir, notable and knotty",
        "特别的告别，不但好看",
        "no",
        "don't",
        "",
    ],
)
def test_a_text_that_rules_nothing_out_is_liked_as_it_stands(text):
    assert parse_wish(text) == Wish(text, "")


def test_white_space_is_made_plain():
    assert parse_wish("  quiet \t films \n\n space ") == Wish("quiet films; space", "")


def test_a_wish_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError, match="likes"):
        parse_wish("robots").likes = "war"  # type: ignore[misc]


WORDS = ["no", "No", "not", "I", "don't", "want", "but", "and", "with", "Old", "Men", "for", "war"]
WORDS += [",", ". ", "“", "”", '"', "《", "(", "不要", "没有", "的", "别", "但", "\n", "\ud800"]


@given(st.text() | st.text(st.characters()) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_a_wish_and_no_word_is_invented(text):
    wish = parse_wish(text)
    heard = {word.strip(",;") for word in text.split()}
    parts = f"{wish.likes} {wish.dislikes}".split()
    assert all(any(part.strip(",;") in word for word in heard) for part in parts)


@given(st.text(), st.sampled_from(["war", "gore", "long songs"]))
def test_a_sentence_of_its_own_is_always_heard(text, dislike):
    quoted = text.translate(dict.fromkeys(map(ord, '"“”《》「」')))
    assert parse_wish(f"{quoted}\nno {dislike}").dislikes.endswith(dislike)


@pytest.mark.parametrize("unit", ["no ", "No Aa of ", "“", '"', "的a", "别", "\n"])
def test_a_megabyte_is_read_in_one_pass(unit):
    n_units = 1_000_000 // len(unit.encode())
    assert isinstance(parse_wish(unit * n_units), Wish)
