"""Words drawn by lot."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
import torch
from tests.language.tiny import tiny_tokenizer

from longtale.language.pretrain.vocabulary import Vocabulary

pytestmark = pytest.mark.torch
SPECIAL = 3
"""Tokens 0 to 2 are special; then words, each but 3 and 4 gone on with by those from 10 on."""
N_TOKENS, MASK = 20, 2


@pytest.fixture
def vocabulary() -> Vocabulary:
    numbers = torch.arange(N_TOKENS)
    return Vocabulary(numbers < SPECIAL, numbers >= 10, MASK)


def drawn(vocabulary: Vocabulary, rows: list[list[int]], share: float) -> torch.Tensor:
    ids = torch.tensor(rows)
    return vocabulary.drawn(ids, ids != 0, share)


def test_all_pieces_of_a_word_are_drawn_together(vocabulary):
    torch.manual_seed(0)
    row = [1, 4, 11, 12, 5, 6, 13, 7, 1]
    pieces = [[1, 2, 3], [4], [5, 6], [7]]
    for _ in range(50):
        found = drawn(vocabulary, [row], 0.5)[0]
        assert all(len({bool(found[place]) for place in word}) == 1 for word in pieces)
        assert sum(bool(found[word[0]]) for word in pieces) == 2


def test_without_whole_words_each_token_is_drawn_alone(vocabulary):
    torch.manual_seed(0)
    alone = Vocabulary(vocabulary.is_special, torch.zeros(N_TOKENS, dtype=torch.bool), MASK)
    counts = {int(drawn(alone, [[1, 4, 11, 12, 1]], 0.4).sum()) for _ in range(20)}
    assert counts == {1}


def test_special_tokens_and_padding_are_never_drawn(vocabulary):
    rows = [[1, 4, 5, 1, 0, 0], [1, 6, 1, 0, 0, 0], [0, 0, 1, 7, 8, 1]]
    found = drawn(vocabulary, rows, 1.0)
    assert found.tolist() == [[token >= SPECIAL for token in row] for row in rows]


def test_each_text_has_at_least_one_word_drawn_and_one_without_words_none(vocabulary):
    found = drawn(vocabulary, [[1, 4, 5, 6, 1], [1, 7, 1, 0, 0], [1, 1, 0, 0, 0]], 0.01)
    assert found.sum(1).tolist() == [1, 1, 0]


def test_a_text_that_begins_inside_a_word_has_that_piece_as_a_word(vocabulary):
    assert drawn(vocabulary, [[1, 11, 12, 1]], 0.1)[0].tolist() == [False, True, True, False]


def test_every_word_has_the_same_chance(vocabulary):
    torch.manual_seed(0)
    rows = [[1, 4, 11, 5, 6, 7, 1]] * 4000
    shares = drawn(vocabulary, rows, 0.25).float().mean(0)
    torch.testing.assert_close(shares[[1, 3, 4, 5]], torch.full((4,), 0.25), atol=0.03, rtol=0)


def test_eight_of_ten_are_masked_and_one_is_another_word(vocabulary):
    torch.manual_seed(0)
    ids = torch.full((200, 200), 4)
    is_drawn = torch.rand(ids.shape) < 0.5
    masked = vocabulary.masked(ids, is_drawn)
    assert torch.equal(masked[~is_drawn], ids[~is_drawn])
    of_drawn = masked[is_drawn]
    by_chance = 0.1 / N_TOKENS  # another word that happens to be the mask or the same
    assert float((of_drawn == MASK).float().mean()) == pytest.approx(0.8 + by_chance, abs=0.01)
    assert float((of_drawn == 4).float().mean()) == pytest.approx(0.1 + by_chance, abs=0.01)


def test_a_tokenizer_says_which_tokens_go_on_with_a_word():
    tokenizer = tiny_tokenizer(["sea ship", "sea", "ship"])
    found = Vocabulary.of(tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    assert found.n_tokens == len(tokens)
    assert found.is_continued.tolist() == [token.startswith("##") for token in tokens]
    assert found.is_continued.any()
    assert found.is_special.sum() == 5
    assert found.mask == tokenizer.mask_token_id
    assert not Vocabulary.of(tokenizer, whole_words=False).is_continued.any()


class Named:
    """A tokenizer of some tokens."""

    all_special_ids = (0,)
    mask_token_id = None

    def __init__(self, *tokens: str) -> None:
        self._tokens = tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [self._tokens[k] for k in ids]


@pytest.mark.parametrize("mark", ["▁", "Ġ"])
def test_a_mark_of_beginnings_says_which_tokens_go_on(mark):
    found = Vocabulary.of(Named("<s>", f"{mark}sea", "side", f"{mark}a"))
    assert found.is_continued.tolist() == [False, False, True, False]
    assert found.mask == -1


def test_tokens_without_marks_are_words():
    assert not Vocabulary.of(Named("<s>", "sea", "side")).is_continued.any()
