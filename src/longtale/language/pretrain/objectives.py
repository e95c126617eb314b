"""What a model learns from texts alone, as losses that a trainer takes; needs torch.

Each is called with the features of a batch's columns: one column of texts, or two of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    DenoisingAutoEncoderLoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from longtale.language.pretrain.head import MaskedWordsHead
from longtale.language.pretrain.vocabulary import Vocabulary

Features = dict[str, Any]


class MaskedWords(nn.Module):
    """Cross-entropy of words that were hidden, given the words around them.

    (Devlin et al. 2018, arXiv:1810.04805.) Only hidden places pass through the head: over all
    places it would cost more than the model.

    Args:
        model: the encoder.
        head: tells words.
        vocabulary: what its tokens are.
        share: of the words that are hidden.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        head: MaskedWordsHead,
        *,
        vocabulary: Vocabulary,
        share: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.head = head
        self._vocabulary = vocabulary
        self._share = share

    def forward(self, columns: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        """Give the mean over all hidden tokens of a batch."""
        return _cross_entropy(*self.answers(columns))

    def answers(self, columns: Iterable[Features]) -> tuple[Tensor, Tensor]:
        """Give the logits and the tokens of M hidden places."""
        (features,) = columns
        ids = features["input_ids"]
        is_drawn = self._vocabulary.drawn(ids, features["attention_mask"], self._share)
        hidden = {**features, "input_ids": self._vocabulary.masked(ids, is_drawn)}
        states = self.model(hidden)["token_embeddings"]  # (B, L, H)
        return self.head(states[is_drawn]), ids[is_drawn]


class NextSentence(nn.Module):
    """Cross-entropy of whether the second text belongs to the first.

    (Devlin et al. 2018, arXiv:1810.04805.) Each pair is read as one text, once as it is and once
    with the second text of another pair of the batch. The head reads the vector that the encoder
    gives, since this is what all others use of it. Where both pairs have the same second text
    there is no wrong one to tell, and nothing is asked.

    Args:
        model: the encoder.
        width: length of its vectors.
        max_tokens: where two texts together are cut, each at half.
        first_token: what begins each text, if anything; the second goes without.
    """

    def __init__(
        self, model: SentenceTransformer, *, width: int, max_tokens: int, first_token: int | None
    ) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2))
        self._scale = math.sqrt(width)  # vectors of length 1 would hardly move the head
        self._half = max_tokens // 2
        self._first_token = first_token
        self._has_kinds = "token_type_ids" in model.tokenizer.model_input_names

    def forward(self, columns: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        """Give the mean over right and wrong pairs."""
        return _cross_entropy(*self.answers(columns))

    def answers(self, columns: Iterable[Features]) -> tuple[Tensor, Tensor]:
        """Give the logits (M, 2) of all pairs that are asked about, and whether each is one."""
        firsts, seconds = (self._texts(features) for features in columns)
        n = len(firsts)
        order = torch.randperm(n).tolist()
        other = dict(zip(order, order[1:] + order[:1], strict=True))
        wrong = [k for k in range(n) if not torch.equal(seconds[k], seconds[other[k]])]
        pairs = [(firsts[k], seconds[k]) for k in range(n)]
        pairs += [(firsts[k], seconds[other[k]]) for k in wrong]
        vectors = self.model(self._joined(pairs))["sentence_embedding"]
        logits = self.head(functional.normalize(vectors) * self._scale)
        targets = torch.tensor([1] * n + [0] * len(wrong), device=logits.device)
        return logits, targets

    def _texts(self, features: Features) -> list[Tensor]:
        ids, attention = features["input_ids"], features["attention_mask"] != 0
        return [row[is_text] for row, is_text in zip(ids, attention, strict=True)]

    def _cut(self, ids: Tensor) -> Tensor:
        # The last token says that the text ends.
        return ids if len(ids) <= self._half else torch.cat([ids[: self._half - 1], ids[-1:]])

    def _joined(self, pairs: list[tuple[Tensor, Tensor]]) -> Features:
        rows, kinds = [], []
        for first, second in pairs:
            begins_anew = self._first_token is not None and int(second[0]) == self._first_token
            first, second = self._cut(first), self._cut(second[int(begins_anew) :])
            rows.append(torch.cat([first, second]))
            kinds.append(torch.cat([torch.zeros_like(first), torch.ones_like(second)]))
        attention = [torch.ones_like(row) for row in rows]
        features: Features = {
            "input_ids": pad_sequence(rows, batch_first=True),
            "attention_mask": pad_sequence(attention, batch_first=True),
        }
        if self._has_kinds:
            features["token_type_ids"] = pad_sequence(kinds, batch_first=True)
        return features


class Denoising(DenoisingAutoEncoderLoss):  # type: ignore[misc, unused-ignore]
    """Cross-entropy of a text, written by a decoder from the vector of what is left of it.

    TSDAE (Wang et al. 2021, arXiv:2104.06979), as sentence-transformers computes it.

    Args:
        model: the encoder.
        vocabulary: what its tokens are.
        share: of the words that are taken away.
    """

    def __init__(self, model: SentenceTransformer, *, vocabulary: Vocabulary, share: float) -> None:
        super().__init__(model)
        self._vocabulary = vocabulary
        self._kept_share = 1 - share

    def forward(self, columns: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        """Give the mean over all tokens of a batch."""
        (features,) = columns
        loss: Tensor = super().forward([self.left_of(features), features], labels)
        return loss

    def left_of(self, features: Features) -> Features:
        """Give the features of what is left of texts when words were taken away."""
        ids, attention = features["input_ids"], features["attention_mask"] != 0
        is_special = self._vocabulary.is_special.to(ids.device)[ids]
        kept = attention & (is_special | self._vocabulary.drawn(ids, attention, self._kept_share))
        order = (~kept).long().argsort(dim=1, stable=True)[:, : int(kept.sum(1).max())]
        n_kept = kept.sum(1, keepdim=True)
        places = torch.arange(order.shape[1], device=ids.device)
        left = {**features, "input_ids": ids.gather(1, order)}
        left["attention_mask"] = (places < n_kept).to(features["attention_mask"].dtype)
        if "token_type_ids" in features:
            left["token_type_ids"] = features["token_type_ids"].gather(1, order)
        return left


class Contrastive(MultipleNegativesRankingLoss):  # type: ignore[misc, unused-ignore]
    """Cross-entropy of knowing a text again among those of the batch, read twice with dropout.

    SimCSE without labels (Gao et al. 2021, arXiv:2104.08821), as sentence-transformers computes it.
    """

    def forward(self, columns: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        """Give the mean over the texts of a batch."""
        (features,) = columns
        loss: Tensor = super().forward([dict(features), dict(features)], labels)
        return loss


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    total = functional.cross_entropy(logits, targets, reduction="sum")
    return total / max(1, len(targets))
