from __future__ import annotations

import pytest

from longtale.seeds import generator

pytest.importorskip("torch")
datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.torch

from longtale.language.shrink.reading import LikeLengths, pieces_of  # noqa: E402 - needs torch


def test_pieces_are_words_in_a_row_of_half_a_text_at_most():
    text = " ".join(f"w{n}" for n in range(12))
    for piece in pieces_of([text], 50, generator(0, "pieces")):
        assert f" {piece} " in f" {text} "
        assert 2 <= len(piece.split()) <= 6


def test_short_texts_have_no_pieces_and_none_comes_twice():
    found = pieces_of(["one two three", "a b c d"], 20, generator(0, "pieces"))
    assert sorted(found) == ["a b", "b c", "c d"]


def batches(n: int, *, epoch: int = 0) -> list[list[int]]:
    dataset = datasets.Dataset.from_dict({"text": ["x" * (n - row) for row in range(n)]})
    sampler = LikeLengths(dataset, batch_size=4, drop_last=False, seed=0)
    sampler.set_epoch(epoch)
    assert len(sampler) == len(list(sampler))
    return list(sampler)


def test_each_text_is_read_once_a_pass():
    assert sorted(row for batch in batches(30) for row in batch) == list(range(30))


def test_texts_of_like_length_are_in_one_batch():
    assert all(max(batch) - min(batch) < 4 for batch in batches(32))


def test_each_pass_has_another_order_which_comes_again():
    assert batches(30, epoch=1) != batches(30)
    assert batches(30, epoch=1) == batches(30, epoch=1)
