"""Texts with words left out and parts in another order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.language.augment.words import with_parts_shuffled, with_words_dropped

seeds = st.integers(0, 1000).map(np.random.default_rng)


@given(st.lists(st.sampled_from("abcde"), min_size=1), st.floats(0, 1), seeds)
def test_what_stays_of_a_text_keeps_its_order_and_is_never_nothing(words, share, rng):
    left = with_words_dropped(" ".join(words), share=share, rng=rng).split()
    assert left
    remaining = iter(words)
    assert all(word in remaining for word in left)


def test_each_word_is_left_out_with_the_probability_asked_for(rng):
    words = [str(k) for k in range(2000)]
    left = with_words_dropped(" ".join(words), share=0.3, rng=rng).split()
    assert len(left) / len(words) == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("share, n_left", [(0, 3), (1, 1)])
def test_nothing_or_all_but_one_may_be_left_out(share, n_left, rng):
    assert len(with_words_dropped("a film noir", share=share, rng=rng).split()) == n_left


def test_a_blank_text_stays_blank(rng):
    assert with_words_dropped(" \n", share=0.5, rng=rng) == ""


@given(st.lists(st.sampled_from(["", " ", "a", "b", "c"])), st.integers(0, 3), seeds)
def test_parts_are_the_same_in_another_order(parts, n_fixed, rng):
    found = with_parts_shuffled(parts, rng=rng, n_fixed=n_fixed)
    assert sorted(found) == sorted(part for part in parts if part.strip())
    fixed = [part for part in parts[:n_fixed] if part.strip()]
    assert found[: len(fixed)] == fixed


def test_every_order_of_parts_comes(rng):
    orders = {tuple(with_parts_shuffled(["a", "b", "c"], rng=rng)) for _ in range(100)}
    assert len(orders) == 6
