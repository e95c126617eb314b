"""A language model on the bench: opened from a folder, frozen in part, written back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from torch import nn
from transformers.utils import logging as transformers_logging

from longtale.arrays import Floats
from longtale.contracts import OnProgress
from longtale.errors import EncoderError
from longtale.language.settings import TrainingSettings

_MODULES_FILE = "modules.json"
_READ_AT_ONCE = 1024
"""Texts between two tellings; they are sorted by length within."""
_STACKS = ("encoder.layer", "layers", "transformer.layer", "h", "encoder.layers")
"""Where architectures keep their layers, one above the other: BERT, decoders, DistilBERT, GPT-2."""


def open_model(folder: Path, *, max_tokens: int | None = None) -> SentenceTransformer:
    """Open a model with its pooling, on the GPU where there is one.

    Args:
        folder: a sentence-transformers folder, or a plain Hugging Face one; a plain decoder is
            pooled by its last token, every other model by the mean.
        max_tokens: where texts are cut, at most what the model allows.

    Raises:
        EncoderError: the folder holds no model that can be loaded.
    """
    try:
        with without_bars():
            model = _opened(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(
            f"the language model in '{folder}' cannot be loaded: "
            f"{str(error).partition(chr(10))[0]}; check that the folder is whole"
        ) from error
    # Nobody writes a card: without these, examples for one are computed.
    model.model_card_data.generate_widget_examples = False
    model.model_card_data.widget = [{"text": ""}]
    if max_tokens is not None:
        shorten(model, max_tokens)
    return model


def shorten(model: SentenceTransformer, max_tokens: int) -> int | None:
    """Let a model cut texts earlier, at most where it does; give where it did, None is nowhere."""
    longest: int | None = model.max_seq_length
    model.max_seq_length = max_tokens if longest is None else min(max_tokens, longest)
    return longest


def encoded(
    model: SentenceTransformer, texts: Sequence[str], on_progress: OnProgress = None
) -> Floats:
    """Give the unit vectors of texts, float32 (N, D)."""
    found = np.empty((len(texts), model.get_embedding_dimension()), dtype=np.float32)
    for start in range(0, len(texts), _READ_AT_ONCE):
        part = list(texts[start : start + _READ_AT_ONCE])
        found[start : start + len(part)] = model.encode(
            part, normalize_embeddings=True, show_progress_bar=False
        )
        if on_progress is not None:
            on_progress(len(part))
    return found


def save_model(model: SentenceTransformer, folder: Path) -> None:
    """Write a model as a folder that the setting `encode.model` can name."""
    with without_bars():
        model.save_pretrained(str(folder), create_model_card=False)


def transformer_of(model: SentenceTransformer) -> nn.Module:
    """Give the Hugging Face model inside: token ids in, states of its last layer out."""
    inner: nn.Module = model[0].model
    return inner


def layers_of(transformer: nn.Module) -> nn.ModuleList:
    """Give the layers of a Hugging Face model, the lowest first.

    Raises:
        EncoderError: this architecture keeps them where nobody looked.
    """
    for path in _STACKS:
        with contextlib.suppress(AttributeError):
            found = transformer.get_submodule(path)
            if isinstance(found, nn.ModuleList):
                return found
    raise EncoderError(
        f"the layers of a {type(transformer).__name__} cannot be found; supported are models that "
        f"keep them as {', '.join(_STACKS)}: choose another model, or let all layers learn"
    )


def freeze(transformer: nn.Module, train_layers: int | None) -> None:
    """Let only the top layers learn: 0 is none of them, None is everything.

    Raises:
        EncoderError: the model has fewer layers.
    """
    if train_layers is None:
        return
    layers = layers_of(transformer)
    if train_layers > len(layers):
        raise EncoderError(
            f"train_layers = {train_layers}, but the model has {len(layers)} layers; "
            f"name 0 to {len(layers)}, or nothing to let all weights learn"
        )
    transformer.requires_grad_(False)
    for layer in layers[len(layers) - train_layers :]:
        layer.requires_grad_(True)


def set_dropout(model: nn.Module, share: float | None) -> None:
    """Change the share of values left out at random in all places of a model; None changes none."""
    if share is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def n_weights(model: nn.Module, *, learning: bool = False) -> int:
    """Count a model's weights, all of them or those that learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not learning)


def prepare(model: SentenceTransformer, settings: TrainingSettings) -> None:
    """Freeze what shall not learn and set the dropout, as the settings say."""
    freeze(transformer_of(model), settings.train_layers)
    set_dropout(model, settings.dropout)


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers from drawing bars of its own."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _opened(folder: Path) -> SentenceTransformer:
    if (folder / _MODULES_FILE).is_file():
        return SentenceTransformer(str(folder), local_files_only=True)
    transformer = Transformer(str(folder), model_kwargs={"local_files_only": True})
    mode = "lasttoken" if _is_decoder(folder) else "mean"
    width = transformer.get_embedding_dimension()
    return SentenceTransformer(
        modules=[transformer, Pooling(width, pooling_mode=mode), Normalize()]
    )


def _is_decoder(folder: Path) -> bool:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    architectures: Sequence[str] = config.get("architectures") or ()
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures)
