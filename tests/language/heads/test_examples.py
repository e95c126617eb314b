"""Examples that are taken apart, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.errors import DataError, SettingsError
from longtale.language.heads.examples import HeadExample, Lessons, check_known
from longtale.language.heads.settings import HeadSettings, HeadTask

TASKS = (
    HeadTask(name="click"),
    HeadTask(name="buy", kind="conversion", classes=3),
    HeadTask(name="stars", kind="rating"),
)
TOWERS = HeadSettings(tasks=TASKS)
EXAMPLES = [
    HeadExample("sea", "ships", {"click": 1, "stars": 4.5}, (1.0,)),
    HeadExample("sea", "love", {"click": 0, "buy": 2}, (float("nan"),)),
    HeadExample("love", "ships", {}, (3.0,)),
]


def test_each_text_is_held_once() -> None:
    lessons = Lessons.of(EXAMPLES, TOWERS)
    assert lessons.texts == ("sea", "love", "ships")
    assert [lessons.texts[place] for place in lessons.first] == ["sea", "sea", "love"]
    assert [lessons.texts[place] for place in lessons.second] == ["ships", "love", "ships"]


def test_a_pair_is_one_text() -> None:
    lessons = Lessons.of(EXAMPLES, HeadSettings(tasks=TASKS, reads="pair"))
    assert lessons.texts == (("sea", "ships"), ("sea", "love"), ("love", "ships"))
    assert lessons.first.tolist() == [0, 1, 2]


def test_labels_that_are_not_named_are_not_known() -> None:
    nan = np.nan
    np.testing.assert_array_equal(
        Lessons.of(EXAMPLES, TOWERS).labels,
        np.array([[1, nan, 4.5], [0, 2, nan], [nan, nan, nan]], dtype=np.float32),
    )


@pytest.mark.parametrize("reads", ["towers", "pair"])
def test_rows_of_one_user_stay_together(reads: str) -> None:
    examples = [HeadExample(f"user {n % 20}", f"item {n}", {"click": 1}) for n in range(200)]
    settings = HeadSettings.parse({"reads": reads})
    learned, held_out = Lessons.of(examples, settings).split(0.2, np.random.default_rng(0))

    def users(lessons: Lessons) -> set[str]:
        texts = [lessons.texts[place] for place in lessons.first]
        return {text if isinstance(text, str) else text[0] for text in texts}

    assert len(learned) == 160
    assert len(held_out) == 40
    assert not users(learned) & users(held_out)


def test_rows_without_a_text_of_a_user_stand_alone() -> None:
    examples = [HeadExample("", f"item {n}", {"click": 1}) for n in range(50)]
    learned, held_out = Lessons.of(examples, HeadSettings()).split(0.2, np.random.default_rng(0))
    assert (len(learned), len(held_out)) == (40, 10)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "there is no example"),
        ([*EXAMPLES, HeadExample("a", "b")], "examples have 0 or 1 features"),
        ([HeadExample("a", "b", {"clik": 1})], "labels of 'clik', which.*did you mean 'click'"),
        ([HeadExample("a", "b", {"click": 2})], "whole numbers from 0 to 1"),
        ([HeadExample("a", "b", {"buy": 3})], "'buy' reach from 3 to 3; a conversion.* 0 to 2"),
        ([HeadExample("a", "b", {"stars": float("inf")})], "a label of task 'stars' is infinite"),
    ],
)
def test_examples_that_do_not_fit_are_refused(examples: list[HeadExample], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Lessons.of(examples, TOWERS)


def test_texts_come_in_pairs() -> None:
    with pytest.raises(DataError, match="2 texts of users, 1 of items and 2 rows"):
        Lessons.told(["a", "b"], ["c"], np.empty((2, 0), dtype=np.float32), TOWERS)


def test_one_user_cannot_be_held_out() -> None:
    lessons = Lessons.of([HeadExample("a", f"item {n}", {"click": 1}) for n in range(9)], TOWERS)
    with pytest.raises(DataError, match="9 examples are too few to hold 10% out"):
        lessons.split(0.1, np.random.default_rng(0))


def test_a_task_without_labels_is_named() -> None:
    with pytest.raises(DataError, match="none of the 1 held-out examples has a label"):
        check_known(Lessons.of(EXAMPLES[:1], TOWERS), TOWERS, what="held-out examples")


def test_tasks_have_names_of_their_own() -> None:
    with pytest.raises(SettingsError, match="tasks need names of their own"):
        HeadSettings.parse({"tasks": [{"name": "click"}, {"name": "click"}]})
