"""Words replaced by others that a language model finds likely in their place; needs torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from longtale.contracts import OnProgress
from longtale.errors import EncoderError
from longtale.language.model import open_model
from longtale.language.pretrain.head import MaskedWordsHead, open_head
from longtale.language.pretrain.vocabulary import Vocabulary

_WORD = re.compile(r"[^\W\d_]+")
_BATCH = 32
Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Substitutes:
    """A model that was pre-trained on masked words, and proposes words.

    (Conditional augmentation of Kumar et al. 2020, arXiv:2003.02245.)

    Args:
        model: the encoder.
        head: tells words from states.
        vocabulary: what the tokens are.
        is_word: bool (V,), tokens that are a whole word of letters.
    """

    model: SentenceTransformer
    head: MaskedWordsHead
    vocabulary: Vocabulary
    is_word: Tensor

    @classmethod
    def open(cls, folder: Path) -> Substitutes:
        """Open an encoder that tells hidden words.

        Raises:
            EncoderError: it cannot be loaded, has no head for hidden words, or no mask.
        """
        model = open_model(folder)
        head = open_head(model, folder)
        tokenizer = model.tokenizer
        vocabulary = Vocabulary.of(tokenizer)
        if vocabulary.mask < 0 or not tokenizer.is_fast:
            raise EncoderError(
                f"the tokenizer of the model in '{folder}' has no mask, or does not tell where its "
                "tokens stand; choose an encoder with a fast tokenizer, such as minilm"
            )
        texts = [tokenizer.decode([k]).strip() for k in range(vocabulary.n_tokens)]
        is_letters = torch.tensor([_WORD.fullmatch(text) is not None for text in texts])
        is_word = is_letters & ~vocabulary.is_special & ~vocabulary.is_continued
        return cls(model.eval(), head, vocabulary, is_word.to(model.device))

    def replaced(
        self,
        texts: Sequence[str],
        *,
        share: float,
        rng: np.random.Generator,
        n_best: int = 10,
        on_progress: OnProgress = None,
    ) -> list[str]:
        """Replace a share of each text's words, at least one, each by another word.

        Everything between them stays as it is. A word too far back for the model to read stays too.

        Args:
            texts: what is changed.
            share: of the words of letters in each text, 0 to 1.
            rng: the dice.
            n_best: the new word is drawn from so many that are likely, by their probability.
            on_progress: is told of finished texts.
        """
        changed: list[str] = []
        dice = rng.spawn(len(texts))
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            changed += self._batch(batch, share, dice[start : start + _BATCH], n_best)
            if on_progress is not None:
                on_progress(len(batch))
        return changed

    def _batch(
        self, texts: Sequence[str], share: float, dice: Sequence[np.random.Generator], n_best: int
    ) -> list[str]:
        spans = [_drawn(text, share, rng) for text, rng in zip(texts, dice, strict=True)]
        mask = str(self.model.tokenizer.mask_token)
        hidden = [
            _with(text, own, [mask] * len(own)) for text, own in zip(texts, spans, strict=True)
        ]
        found = self._proposals(hidden, n_best)
        changed = []
        for text, own, proposals, rng in zip(texts, spans, found, dice, strict=True):
            before = [text[start:end] for start, end in own]
            after = [
                _chosen(word, proposals.get(place, {}), rng)
                for word, place in zip(before, _places_after(own, len(mask)), strict=True)
            ]
            changed.append(_with(text, own, after))
        return changed

    def _proposals(self, hidden: Sequence[str], n_best: int) -> list[dict[int, dict[str, float]]]:
        """Give for each text, by the place in it of each mask, likely words and their logits."""
        tokenizer = self.model.tokenizer
        asked = tokenizer(
            list(hidden),
            padding=True,
            truncation=True,
            max_length=self.model.max_seq_length,
            return_offsets_mapping=True,
            return_tensors="pt",
        ).to(self.model.device)
        starts = asked.pop("offset_mapping")[..., 0]
        at = asked["input_ids"] == self.vocabulary.mask
        with torch.inference_mode():
            logits = self.head(self.model(dict(asked))["token_embeddings"][at])
        n_asked = min(n_best + 1, int(self.is_word.sum()))  # one may be the word itself
        likely = logits.masked_fill(~self.is_word, -torch.inf).topk(n_asked)
        found: list[dict[int, dict[str, float]]] = [{} for _ in hidden]
        rows = at.nonzero()[:, 0].tolist()
        best = zip(likely.indices.tolist(), likely.values.tolist(), strict=True)
        for row, place, (tokens, values) in zip(rows, starts[at].tolist(), best, strict=True):
            words = [tokenizer.decode([token]).strip() for token in tokens]
            found[row][place] = dict(zip(words, values, strict=True))
        return found


def _chosen(word: str, proposals: Mapping[str, float], rng: np.random.Generator) -> str:
    others = {other: v for other, v in proposals.items() if other.lower() != word.lower()}
    if not others:
        return word
    logits = np.array(list(others.values()))
    weights = np.exp(logits - logits.max())
    return str(rng.choice(list(others), p=weights / weights.sum()))


def _drawn(text: str, share: float, rng: np.random.Generator) -> list[Span]:
    spans = [match.span() for match in _WORD.finditer(text)]
    if not spans:
        return []
    n_drawn = max(1, round(share * len(spans)))
    return [spans[k] for k in sorted(rng.choice(len(spans), size=n_drawn, replace=False))]


def _with(text: str, spans: Sequence[Span], words: Sequence[str]) -> str:
    parts, end = [], 0
    for (start, stop), word in zip(spans, words, strict=True):
        parts += [text[end:start], word]
        end = stop
    return "".join([*parts, text[end:]])


def _places_after(spans: Sequence[Span], length: int) -> list[int]:
    """Give where each span begins when each before it has become `length` signs long."""
    places, shift = [], 0
    for start, end in spans:
        places.append(start + shift)
        shift += length - (end - start)
    return places
