"""Which tokens are words, and words drawn by lot; needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_CONTINUES = "##"
_BEGINS = ("▁", "Ġ")
"""Marks of tokens that go on with a word (WordPiece) or begin one (SentencePiece, byte BPE)."""


@dataclass(frozen=True)
class Vocabulary:
    """What a model's V tokens are.

    Args:
        is_special: bool (V,), tokens that are no part of any text.
        is_continued: bool (V,), tokens that go on with the word before them.
        mask: the token that stands for a hidden one; -1 where the model has none.
    """

    is_special: Tensor
    is_continued: Tensor
    mask: int

    @classmethod
    def of(cls, tokenizer: Any, *, whole_words: bool = True) -> Vocabulary:
        """Read a tokenizer.

        Args:
            tokenizer: of Hugging Face.
            whole_words: know which tokens belong to one word; else each is a word of its own.
        """
        is_special = torch.zeros(len(tokenizer), dtype=torch.bool)
        is_special[list(tokenizer.all_special_ids)] = True
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        is_continued = torch.zeros_like(is_special)
        if whole_words:
            is_continued = torch.tensor(_continued(tokens)) & ~is_special
        mask = tokenizer.mask_token_id
        return cls(is_special, is_continued, -1 if mask is None else int(mask))

    @property
    def n_tokens(self) -> int:
        """V."""
        return len(self.is_special)

    def drawn(self, ids: Tensor, attention: Tensor, share: float) -> Tensor:
        """Draw words by lot: a share of each text's words, at least one, all tokens of each.

        Torch's own dice are thrown: dropout uses them too, and checkpoints keep them.

        Args:
            ids: int64 (B, L), the tokens.
            attention: (B, L), 0 where a text has ended.
            share: of the words of each text.

        Returns:
            bool (B, L), tokens of the words that were drawn; never special ones.
        """
        is_word = (attention != 0) & ~self.is_special.to(ids.device)[ids]
        follows = torch.zeros_like(is_word)
        follows[:, 1:] = is_word[:, :-1]
        starts = is_word & ~(self.is_continued.to(ids.device)[ids] & follows)
        n_drawn = (share * starts.sum(1)).round().clamp(min=1)
        lots = torch.rand(ids.shape, device=ids.device).masked_fill(~starts, torch.inf)
        ranks = lots.argsort(1).argsort(1)
        is_drawn = starts & (ranks < n_drawn[:, None])
        places = torch.arange(ids.shape[1], device=ids.device)
        start_of = torch.where(starts, places, 0).cummax(1).values  # (B, L)
        return is_word & is_drawn.gather(1, start_of)

    def masked(self, ids: Tensor, is_drawn: Tensor) -> Tensor:
        """Hide drawn tokens: 8 of 10 behind the mask, 1 behind another token, 1 stays as it is.

        What stays or is another one keeps the model from trusting what it reads (Devlin et al.
        2018, arXiv:1810.04805).
        """
        lots = torch.rand(ids.shape, device=ids.device)
        others = torch.randint(self.n_tokens, ids.shape, device=ids.device)
        hidden = torch.where(is_drawn & (lots < 0.8), self.mask, ids)
        return torch.where(is_drawn & (lots >= 0.9), others, hidden)


def _continued(tokens: list[str]) -> list[bool]:
    if any(token.startswith(_CONTINUES) for token in tokens):
        return [token.startswith(_CONTINUES) for token in tokens]
    for mark in _BEGINS:
        if any(token.startswith(mark) for token in tokens):
            return [not token.startswith(mark) for token in tokens]
    return [False] * len(tokens)
