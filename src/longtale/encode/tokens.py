"""Texts as tokens, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CHARACTERS_PER_TOKEN = 64  # no tokenizer gives fewer tokens than this for running text
_WINDOW = 4096  # texts held as tokens at a time


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Some texts as tokens.

    Args:
        rows: which texts these are, int64 (B,).
        ids: tokens, int64 (B, T).
        mask: 1 where there is a token, 0 at padding, int64 (B, T).
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TokenReader:
    """Cuts texts into tokens and sorts them by length, so that little is computed for padding.

    Args:
        tokenizer: without padding, truncating at the model's length.
        max_tokens: where a text is cut.
        pad_id: token that fills up short texts.
        batch_tokens: how many tokens, padding included, a batch holds at most.
        lowercase: whether the model reads lower case only.
    """

    tokenizer: Tokenizer
    max_tokens: int
    pad_id: int
    batch_tokens: int
    lowercase: bool = False

    def batches(self, texts: Sequence[str], prompt: str) -> Iterator[TokenBatch]:
        """Give the texts that are not blank, the longest first within each window of texts."""
        rows = np.array([row for row, text in enumerate(texts) if text.strip()], dtype=np.int64)
        for start in range(0, len(rows), _WINDOW):
            yield from self._window(texts, rows[start : start + _WINDOW], prompt)

    def _window(
        self, texts: Sequence[str], rows: NDArray[np.int64], prompt: str
    ) -> Iterator[TokenBatch]:
        encoded = self.tokenizer.encode_batch_fast(
            [prompt + self._plain(texts[row]) for row in rows]
        )
        tokens = [encoding.ids for encoding in encoded]
        lengths = np.array([len(ids) for ids in tokens])
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            width = max(1, int(lengths[order[start]]))
            chosen = order[start : start + max(1, self.batch_tokens // width)]
            start += len(chosen)
            ids, mask = self._padded([tokens[position] for position in chosen], width)
            yield TokenBatch(rows=rows[chosen], ids=ids, mask=mask)

    def _plain(self, text: str) -> str:
        text = plain_text(text, self.max_tokens)
        return text.lower() if self.lowercase else text

    def _padded(
        self, tokens: Sequence[list[int]], width: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids = np.full((len(tokens), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(tokens), width), dtype=np.int64)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        return ids, mask


def plain_text(text: str, max_tokens: int) -> str:
    """Give what a tokenizer can take of a text, and no more than it would keep."""
    text = text.strip()[: max_tokens * _CHARACTERS_PER_TOKEN]
    # Text from outside may hold halves of surrogate pairs, which no tokenizer takes.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def whole_words(tokenizer: Tokenizer) -> frozenset[str]:
    """Give the words of four letters or more of a vocabulary, in lower case.

    Shorter tokens are rather parts of words. Only WordPiece (Wu et al. 2016, arXiv:1609.08144)
    marks what goes on with a word, `##`; elsewhere what begins one looks like a whole one, and none
    is given.
    """
    tokens = tokenizer.get_vocab()
    if not any(token.startswith("##") for token in tokens):
        return frozenset()
    return frozenset(token.lower() for token in tokens if token.isalpha() and len(token) > 3)


def cutting(tokenizer: Tokenizer, max_tokens: int) -> Tokenizer:
    """Set a tokenizer to cut at a length and to leave padding to the batches."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_tokens)
    return tokenizer
