"""Which texts a student reads, and in which company; needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

_FEWEST_WORDS = 2
_BATCHES_AT_ONCE = 50
"""Among so many batches texts are sorted by length."""


def pieces_of(texts: Sequence[str], n_each: int, rng: np.random.Generator) -> list[str]:
    """Give pieces of texts, each some words in a row: from two to half of the text.

    Args:
        texts: those of less than four words give none.
        n_each: how many pieces of each.
        rng: draws length and place.
    """
    found = []
    for text in texts:
        words = text.split()
        if len(words) < 2 * _FEWEST_WORDS:
            continue
        for _ in range(n_each):
            length = int(rng.integers(_FEWEST_WORDS, len(words) // 2 + 1))
            start = int(rng.integers(0, len(words) - length + 1))
            found.append(" ".join(words[start : start + length]))
    return list(dict.fromkeys(found))


class LikeLengths(DefaultBatchSampler):  # type: ignore[misc, unused-ignore]
    """Puts texts of like length into one batch, in another order each pass.

    Less is computed for padding: with pieces beside whole texts half of the time is saved.
    """

    def __init__(self, dataset: Any, **settings: Any) -> None:
        super().__init__(dataset, **settings)
        self._lengths = np.array([len(text) for text in dataset["text"]])

    def __iter__(self) -> Iterator[list[int]]:
        """Give the batches of one pass, as rows of the dataset."""
        dice = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self._lengths), generator=dice).numpy()
        window = self.batch_size * _BATCHES_AT_ONCE
        batches = []
        for start in range(0, len(order), window):
            some = order[start : start + window]
            some = some[np.argsort(self._lengths[some], kind="stable")]
            batches += [
                some[place : place + self.batch_size].tolist()
                for place in range(0, len(some), self.batch_size)
            ]
        for number in torch.randperm(len(batches), generator=dice).tolist():
            yield batches[number]
