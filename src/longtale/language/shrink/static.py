"""A vector for each token in place of a language model; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg, sparse
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

from longtale.arrays import Floats, unit_rows
from longtale.errors import EncoderError

_AT_ONCE = 512
MOST_TEXTS = 4096
"""Of least squares: the matrix of their products is the dearest part."""
_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Tried shares of the mean square of a text."""


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
    counts = _bag(words, texts, words.get_vocab_size()).sum(axis=0)
    weights = smoothing / (smoothing + counts / max(counts.sum(), 1))
    alone = _alone(teacher, len(counts))
    return (alone * weights[:, None]).astype(np.float32)


def fitted_table(
    words: Tokenizer,
    table: Floats,
    texts: Sequence[str],
    targets: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Give a table whose texts lie nearest to where the teacher puts them: least squares.

    With B a text's tokens, each as often as it is there times the length of its vector, over the
    length of the text's sum, and P what the table says of the texts, the change of each token's
    vector, in units of its length, is

        B' (B B' + λ I)⁻¹ (T - P)

    the ridge regression of what is missing, in the form that needs a matrix of texts, not tokens.
    Tokens that no text has stay. λ is the one of a few that does best on a tenth of the texts.

    Args:
        words: cuts texts into tokens.
        table: float32 (V, D), what to begin with.
        texts: to learn from; some of them where there are very many.
        targets: float32 (N, D), the teacher's unit vectors of them.
        rng: draws texts.
    """
    chosen = rng.permutation(len(texts))[:MOST_TEXTS]
    bag = _bag(words, [texts[row] for row in chosen], len(table))
    said = bag @ table
    is_told = np.linalg.norm(said, axis=1) > 0
    bag, said, right = bag[is_told], said[is_told], targets[chosen][is_told]
    lengths = np.linalg.norm(said, axis=1, keepdims=True)
    weights = np.linalg.norm(table, axis=1)
    features = sparse.csr_array(bag.multiply(weights).multiply(1 / lengths))
    products = (features @ features.T).toarray().astype(np.float64)
    missing = (right - said / lengths).astype(np.float64)
    ridge = _best_ridge(products, missing, said / lengths, right)
    change = features.T @ _solved(products, missing, ridge)
    return (table + weights[:, None] * change).astype(np.float32)


def _best_ridge(
    products: NDArray[np.float64], missing: NDArray[np.float64], said: Floats, right: Floats
) -> float:
    """Give the ridge that answers best for the first tenth of the texts when it has the rest."""
    n = max(1, len(products) // 10)
    scale = float(np.trace(products)) / len(products)
    fits = []
    for share in _RIDGES:
        found = _solved(products[n:, n:], missing[n:], share * scale)
        answers = unit_rows((said[:n] + products[:n, n:] @ found).astype(np.float32))
        fits.append(float((answers * right[:n]).sum()))
    return _RIDGES[int(np.argmax(fits))] * scale


def _solved(
    products: NDArray[np.float64], missing: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    added = products + ridge * np.eye(len(products))
    found: NDArray[np.float64] = linalg.solve(added, missing, assume_a="pos")
    return found


def _bag(words: Tokenizer, texts: Sequence[str], n_tokens: int) -> sparse.csr_array:
    tokens = [e.ids for e in words.encode_batch(list(texts), add_special_tokens=False)]
    ends = np.cumsum([0, *(len(ids) for ids in tokens)])
    flat = np.array([token for ids in tokens for token in ids], dtype=np.int64)
    ones = np.ones(len(flat), dtype=np.float32)
    return sparse.csr_array((ones, flat, ends), shape=(len(texts), n_tokens))


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
