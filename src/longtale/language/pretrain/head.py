"""The head that tells hidden words, and the file in which it outlives its training; needs torch."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from longtale.errors import EncoderError
from longtale.language.model import transformer_of

_FILE = Path("masked_words") / "head.safetensors"
"""In a folder of its own, so that it is no part of the encoder's weights."""
_BERT = {
    "dense.weight": "cls.predictions.transform.dense.weight",
    "dense.bias": "cls.predictions.transform.dense.bias",
    "norm.weight": "cls.predictions.transform.LayerNorm.weight",
    "norm.bias": "cls.predictions.transform.LayerNorm.bias",
    "bias": "cls.predictions.bias",
}
"""Where BERT keeps the same weights, as published with its head."""


class MaskedWordsHead(nn.Module):
    """Says of a token's state which word belongs there.

    logits = LayerNorm(gelu(W h + b)) Eᵀ + c, with E the model's own word vectors and h the state
    (Devlin et al. 2018, arXiv:1810.04805).

    Args:
        transformer: the model whose word vectors are shared.
    """

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        words: nn.Embedding = transformer.get_input_embeddings()  # type: ignore[operator]
        width: int = transformer.config.hidden_size  # type: ignore[union-attr, assignment]
        self.dense = nn.Linear(width, words.embedding_dim)
        self.norm = nn.LayerNorm(words.embedding_dim, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(words.num_embeddings))
        self._words = [words]  # in a list, so that the model's weights are not the head's
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Tensor) -> Tensor:
        """Give the logits of M states, (M, H): (M, V)."""
        shaped = self.norm(functional.gelu(self.dense(states)))
        return functional.linear(shaped, self._words[0].weight, self.bias)


def make_head(model: SentenceTransformer, folder: Path) -> MaskedWordsHead:
    """Give the head that came with a model, or a new one where none did.

    Args:
        model: the model.
        folder: the folder from which it was opened.
    """
    head = MaskedWordsHead(transformer_of(model))
    own = {name: weights.shape for name, weights in head.state_dict().items()}
    found = _found(folder)
    if {name: weights.shape for name, weights in found.items()} == own:
        head.load_state_dict(found)
    return head.to(model.device)


def open_head(model: SentenceTransformer, folder: Path) -> MaskedWordsHead:
    """Give the head that came with a model.

    Raises:
        EncoderError: none did.
    """
    if not _found(folder):
        raise EncoderError(
            f"the model in '{folder}' cannot tell hidden words: it has no head for them; make one "
            "by pre-training with the objective masked_words"
        )
    return make_head(model, folder).eval()


def save_head(head: MaskedWordsHead, folder: Path) -> None:
    """Write the head beside its model."""
    path = folder / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: weights.contiguous() for name, weights in head.state_dict().items()}, path)


def _found(folder: Path) -> dict[str, Tensor]:
    if (folder / _FILE).is_file():
        return dict(load_file(folder / _FILE))
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as weights:
            if set(_BERT.values()) <= set(weights.keys()):
                return {own: weights.get_tensor(name) for own, name in _BERT.items()}
    return {}
