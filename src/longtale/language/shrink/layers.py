"""Fewer layers; needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from sentence_transformers import SentenceTransformer
from torch import nn

from longtale.errors import SettingsError
from longtale.language.model import encoded, layers_of, transformer_of


def keep_layers(transformer: nn.Module, kept: Sequence[int]) -> None:
    """Leave out all layers but some, in place (Sajjad et al. 2020, arXiv:2004.03844).

    Args:
        transformer: a Hugging Face model.
        kept: numbers of the layers that stay, rising; the lowest is 0.

    Raises:
        SettingsError: there are no such layers, or none would stay.
    """
    layers = layers_of(transformer)
    rising = sorted(set(kept))
    if not rising or list(kept) != rising or rising[0] < 0 or rising[-1] >= len(layers):
        raise SettingsError(
            f"layers = {list(kept)}, but the model has layers 0 to {len(layers) - 1}; "
            "name one or more of them, rising"
        )
    _put(transformer, list(layers), _types(transformer), kept)


def choose_layers(
    model: SentenceTransformer, texts: Sequence[str], n_layers: int
) -> tuple[int, ...]:
    """Say which layers together stay nearest to the whole model.

    One layer after the other leaves: the one without which the vectors of the texts have the
    largest mean cosine to those of the whole model.

    Args:
        model: stays as it is.
        texts: some that are like those the model will read.
        n_layers: how many stay.

    Raises:
        SettingsError: the model has fewer layers.
    """
    transformer = transformer_of(model)
    kept = list(range(len(layers_of(transformer))))
    if n_layers > len(kept):
        raise SettingsError(
            f"n_layers = {n_layers}, but the model has {len(kept)} layers; name 1 to {len(kept)}"
        )
    whole = encoded(model, texts)
    while len(kept) > n_layers:
        without = [[other for other in kept if other != number] for number in kept]
        likeness = []
        for candidates in without:
            with _only(transformer, candidates):
                likeness.append(float((encoded(model, texts) * whole).sum(axis=1).mean()))
        kept = without[int(np.argmax(likeness))]
    return tuple(kept)


@contextmanager
def _only(transformer: nn.Module, kept: Sequence[int]) -> Iterator[None]:
    layers, types = list(layers_of(transformer)), _types(transformer)
    _put(transformer, layers, types, kept)
    try:
        yield
    finally:
        _put(transformer, layers, types, range(len(layers)))


def _types(transformer: nn.Module) -> Sequence[str] | None:
    """Give which kind of attention each layer has, where an architecture mixes kinds."""
    found: Sequence[str] | None = getattr(transformer.config, "layer_types", None)
    return found


def _put(
    transformer: nn.Module,
    layers: Sequence[nn.Module],
    types: Sequence[str] | None,
    kept: Sequence[int],
) -> None:
    stack, config = layers_of(transformer), cast(Any, transformer.config)
    del stack[:]
    stack.extend(layers[number] for number in kept)
    config.num_hidden_layers = len(kept)
    if types is not None:
        config.layer_types = [types[number] for number in kept]
    for place, layer in enumerate(stack):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                cast(Any, module).layer_idx = place
