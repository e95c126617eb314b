"""What teaches and what judges."""

from __future__ import annotations

import pytest

from longtale.errors import DataError
from longtale.language.pretrain.examples import Examples, cut
from longtale.language.pretrain.settings import Objective, PretrainSettings

TEXTS = [f"text {k}" for k in range(40)]
PAIRS = [(f"title {k}", f"description {k}") for k in range(20)]
ALL = PretrainSettings(objectives=tuple(Objective), held_out=0.1)


def test_every_example_teaches_or_judges():
    found = Examples.of(TEXTS, PAIRS, ALL)
    for objective in Objective:
        given = PAIRS if objective is Objective.NEXT_SENTENCE else [(text,) for text in TEXTS]
        train, held_out = found.train[objective], found.held_out[objective]
        assert sorted(train + held_out) == sorted(given)
        assert not set(train) & set(held_out)
        assert len(held_out) == len(given) // 10
    assert found.n_train == 3 * 36 + 18
    assert found.n_held_out == 3 * 4 + 2


def test_the_cut_is_that_of_the_seed():
    again, other = (ALL.model_copy(update={"seed": seed}) for seed in (0, 1))
    assert Examples.of(TEXTS, PAIRS, ALL) == Examples.of(TEXTS, PAIRS, again)
    assert Examples.of(TEXTS, PAIRS, ALL) != Examples.of(TEXTS, PAIRS, other)


def test_what_has_no_words_or_comes_twice_is_left_out():
    found = Examples.of(["a b", "", " a  b ", "...", "c"], [], PretrainSettings())
    masked = Objective.MASKED_WORDS
    assert sorted(found.train[masked] + found.held_out[masked]) == [("a b",), ("c",)]


def test_a_pair_needs_words_on_both_sides():
    pairs = [*PAIRS, ("title", " "), ("", "description")]
    settings = PretrainSettings(objectives=(Objective.NEXT_SENTENCE,))
    found = Examples.of([], pairs, settings)
    assert found.n_train + found.n_held_out == len(PAIRS)


def test_at_least_two_are_held_out_where_four_are(rng):
    examples = [(str(k),) for k in range(4)]
    assert [len(side) for side in cut(examples, 0.01, rng)] == [2, 2]
    assert [len(side) for side in cut(examples[:3], 0.01, rng)] == [2, 1]


def test_no_more_than_a_thousand_are_held_out(rng):
    assert len(cut([(str(k),) for k in range(5000)], 0.5, rng)[1]) == 1000


@pytest.mark.parametrize(
    "objective, texts, message",
    [
        ("masked_words", ["one", "one", "?"], "at least 2 .* but 1 of 3 are; give the catalogue"),
        ("denoising", [], "denoising needs at least 2 different texts with words, but 0 of 0"),
        ("contrastive", ["a", "b", "c"], "at least 4 .* but 3 of 3"),
        ("next_sentence", TEXTS, "at least 4 different pairs .* but 0 of 0 are; give a title"),
    ],
)
def test_too_few_examples_are_refused(objective, texts, message):
    with pytest.raises(DataError, match=message):
        Examples.of(texts, [], PretrainSettings(objectives=(Objective(objective),)))
