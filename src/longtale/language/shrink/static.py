"""A vector for each token in place of a language model; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

from longtale.arrays import Floats
from longtale.errors import EncoderError

_AT_ONCE = 512


def token_table(teacher: SentenceTransformer, texts: Sequence[str], smoothing: float) -> Floats:
    """Give what a table of tokens begins with, float32 (V, D).

    Each token stands for itself: its vector is what the teacher makes of it alone (model2vec,
    Tulkens and van Dongen 2024), times a / (a + p) with p its share of all tokens of the texts, so
    that frequent words count for less (Arora et al. 2017, "A simple but tough-to-beat baseline").

    Args:
        teacher: an encoder.
        texts: where words are counted.
        smoothing: a.

    Raises:
        EncoderError: its tokenizer works with transformers only.
    """
    words = tokenizer_of(teacher)
    counts = np.zeros(words.get_vocab_size(), dtype=np.float64)
    for encoding in words.encode_batch(list(texts), add_special_tokens=False):
        np.add.at(counts, encoding.ids, 1)
    weights = smoothing / (smoothing + counts / max(counts.sum(), 1))
    alone = _alone(teacher, len(counts))
    return (alone * weights[:, None]).astype(np.float32)


def static_student(words: Tokenizer, table: Floats) -> SentenceTransformer:
    """Give a table of tokens as a model, the mean of whose tokens is a text's vector."""
    return SentenceTransformer(modules=[StaticEmbedding(words, embedding_weights=table)])


def tokenizer_of(model: SentenceTransformer) -> Tokenizer:
    """Give a copy of a model's tokenizer that neither pads nor cuts.

    Raises:
        EncoderError: it works with transformers only.
    """
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EncoderError(
            "this model has no fast tokenizer, which a table of tokens needs; choose another model"
        )
    words = Tokenizer.from_str(backend.to_str())
    words.no_padding()
    words.no_truncation()
    return words


def _alone(teacher: SentenceTransformer, n_tokens: int) -> Floats:
    """Give the teacher's unit vector of each token between the marks that it knows."""
    tokenizer: Any = teacher.tokenizer
    marked = tokenizer("a")["input_ids"]
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    place = next(i for i in range(len(marked)) if marked[i : i + len(bare)] == bare)
    before, behind = marked[:place], marked[place + len(bare) :]
    found = []
    teacher.eval()
    for start in range(0, n_tokens, _AT_ONCE):
        tokens = range(start, min(start + _AT_ONCE, n_tokens))
        ids = torch.tensor([[*before, token, *behind] for token in tokens], device=teacher.device)
        with torch.inference_mode():
            said = teacher({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        unit = torch.nn.functional.normalize(said["sentence_embedding"].float(), dim=1)
        found.append(unit.cpu().numpy())
    return np.concatenate(found)
