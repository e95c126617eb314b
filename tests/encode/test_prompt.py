from __future__ import annotations

import polars as pl
import pytest

from longtale.data.filters.filter import parse_filter
from longtale.encode.prompt import PromptSettings, item_texts
from longtale.schema import Role


def text_of(**cells: str | None) -> str:
    return item_texts([(Role(role), [cell]) for role, cell in cells.items()])[0]


def test_parts_follow_their_roles_whatever_the_order_of_the_fields():
    assert (
        text_of(description="A long night.", tags="noir", title="Heat", creator="Michael Mann")
        == "Heat. Michael Mann. noir. A long night"
    )


@pytest.mark.parametrize("blank", [None, "", "  ", "|", "-", "...", " , ; "])
def test_a_missing_part_leaves_no_stray_punctuation(blank: str | None):
    assert text_of(title="Heat", creator=blank, category="Crime") == "Heat. Crime"
    assert text_of(title=blank, category="Crime") == "Crime"


def test_an_item_without_words_has_an_empty_text():
    assert text_of(title=None, description="") == ""


@pytest.mark.parametrize("cell", ["Action|Crime", "Action; Crime", "Action,Crime", "Action|Crime|"])
def test_list_cells_are_joined_by_commas(cell: str):
    assert text_of(category=cell) == "Action, Crime"


def test_a_list_says_each_value_once():
    assert text_of(tags="noir|heist|noir") == "noir, heist"


def test_titles_keep_their_own_signs():
    assert text_of(title="Crouching Tiger, Hidden Dragon", tags="x") == (
        "Crouching Tiger, Hidden Dragon. x"
    )


def test_no_stop_follows_a_question_mark():
    assert text_of(title="Who's Afraid?", category="Drama") == "Who's Afraid? Drama"


def test_the_description_is_cut_after_its_first_words():
    settings = PromptSettings(max_description_words=3)
    assert item_texts([(Role.DESCRIPTION, ["one two\nthree four"])], settings) == ["one two three"]


def test_no_words_of_the_description_leaves_it_out():
    settings = PromptSettings(max_description_words=0)
    fields = [(Role.TITLE, ["Heat"]), (Role.DESCRIPTION, ["one two"])]
    assert item_texts(fields, settings) == ["Heat"]


def test_a_megabyte_is_cut():
    for role in Role:
        assert len(text_of(**{role.value: "靴" * 1_000_000})) == 2000
        assert len(text_of(**{role.value: "word " * 200_000})) <= 2000


def test_several_fields_of_one_role_follow_each_other():
    fields = [(Role.TAGS, ["b"]), (Role.TITLE, ["Heat"]), (Role.TAGS, ["a"])]
    assert item_texts(fields) == ["Heat. b. a"]


def test_emoji_and_right_to_left_titles_stay():
    assert text_of(title="🥾") == "🥾"
    assert text_of(title="שלום", tags="a") == "שלום. a"


def test_no_fields_give_no_texts():
    assert item_texts([]) == []


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("a | b c", ["a", "b c"]),
        ("a; b c", ["a", "b c"]),
        ("a, b c", ["a", "b c"]),
        ("b,c|a;d", ["b,c", "a;d"]),
        ("b,c; a", ["b,c", "a"]),
    ],
)
def test_a_list_cell_is_parted_as_filters_part_it(cell, values):
    assert item_texts([(Role.TAGS, [cell])]) == [", ".join(values)]
    frame = pl.DataFrame({"tags": [cell]})
    for value in [*values, "b", "d"]:
        found = parse_filter(f"tags has '{value}'").mask(frame).tolist()
        assert found == [value in values], value
