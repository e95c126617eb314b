"""Fewer heads of attention; needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device
from torch import Tensor, nn

from longtale.arrays import Floats
from longtale.errors import EncoderError, SettingsError
from longtale.language.model import encoded, layers_of, transformer_of

_N_DIRECTIONS = 4
"""Random directions in which vectors are asked how they would move."""


class Attention(NamedTuple):
    """The parts of a layer's attention, of all architectures that call them as BERT does.

    Args:
        inner: holds the matrices of queries, keys and values, and says how many heads there are.
        output: joins what the heads found.
    """

    inner: Any
    output: nn.Linear

    @property
    def n_heads(self) -> int:
        """How many heads there are."""
        return int(self.inner.num_attention_heads)

    @property
    def width(self) -> int:
        """Width of one head."""
        return int(self.inner.attention_head_size)


def attentions_of(transformer: nn.Module) -> list[Attention]:
    """Give the attention of each layer.

    Raises:
        EncoderError: this architecture calls its parts otherwise.
    """
    found = []
    for layer in layers_of(transformer):
        try:
            attention = cast(Any, layer).attention
            parts = Attention(attention.self, attention.output.dense)
            _ = parts.n_heads, parts.width, parts.inner.query
        except AttributeError:
            raise EncoderError(
                f"the heads of a {type(transformer).__name__} cannot be left out; those of BERT, "
                "RoBERTa, XLM-RoBERTa and ELECTRA can: leave out layers instead"
            ) from None
        found.append(parts)
    return found


@contextmanager
def masked_heads(transformer: nn.Module, masks: Sequence[Tensor]) -> Iterator[None]:
    """Multiply what each head found by a number, while this lasts.

    Args:
        transformer: a Hugging Face model.
        masks: for each layer float32 (H,); 0 leaves a head out.
    """
    with ExitStack() as stack:
        for attention, mask in zip(attentions_of(transformer), masks, strict=True):
            stack.callback(_masked(attention, mask).remove)
        yield


def _masked(attention: Attention, mask: Tensor) -> Any:
    def scale(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (inputs[0] * mask.repeat_interleave(attention.width),)  # (B, T, H·W)

    return attention.output.register_forward_pre_hook(scale)


def importance_by_gradient(
    model: SentenceTransformer, texts: Sequence[str], rng: np.random.Generator
) -> list[Floats]:
    """Say how far texts' vectors would move if a head said a little less.

    With x_h the number by which head h is multiplied and v a text's unit vector:

        I_h = mean over texts of |dv / dx_h|²  =  E_r [(d(r·v) / dx_h)²],   r normal

    Michel, Levy and Neubig (2019, arXiv:1905.10650) take the gradient of the loss; an encoder has
    none, so random directions stand for it.

    Returns:
        for each layer float32 (H,).
    """
    transformer = transformer_of(model).eval()
    attentions = attentions_of(transformer)
    found = [np.zeros(attention.n_heads, dtype=np.float32) for attention in attentions]
    # The mask of one text is not to be mixed with that of another: one text at a time.
    for text in texts:
        masks = [torch.ones(a.n_heads, device=model.device, requires_grad=True) for a in attentions]
        with torch.enable_grad(), masked_heads(transformer, masks):
            features = batch_to_device(model.preprocess([text]), model.device)
            vector = nn.functional.normalize(model(features)["sentence_embedding"][0], dim=0)
        for number in range(_N_DIRECTIONS):
            drawn = rng.standard_normal(len(vector)).astype(np.float32)
            along = vector @ torch.from_numpy(drawn).to(vector.device)
            gradients = torch.autograd.grad(along, masks, retain_graph=number < _N_DIRECTIONS - 1)
            for total, gradient in zip(found, gradients, strict=True):
                total += gradient.square().cpu().numpy() / (_N_DIRECTIONS * len(texts))
    return found


def importance_by_ablation(model: SentenceTransformer, texts: Sequence[str]) -> list[Floats]:
    """Say how far texts' vectors move when a head is left out: 1 - mean cosine.

    Returns:
        for each layer float32 (H,).
    """
    transformer = transformer_of(model)
    whole = encoded(model, texts)
    counts = [attention.n_heads for attention in attentions_of(transformer)]
    found = [np.zeros(n, dtype=np.float32) for n in counts]
    for layer, n_heads in enumerate(counts):
        for head in range(n_heads):
            masks = [torch.ones(n, device=model.device) for n in counts]
            masks[layer][head] = 0
            with masked_heads(transformer, masks):
                found[layer][head] = 1 - (encoded(model, texts) * whole).sum(axis=1).mean()
    return found


def least_important(importance: Sequence[Floats], share: float) -> dict[int, tuple[int, ...]]:
    """Give a share of all heads, those of least importance; each layer keeps one at least.

    Args:
        importance: for each layer (H,).
        share: of all heads, less than 1.

    Returns:
        heads by number of the layer.
    """
    places = [(layer, head) for layer, own in enumerate(importance) for head in range(len(own))]
    places.sort(key=lambda place: float(importance[place[0]][place[1]]))
    left = {layer: len(own) for layer, own in enumerate(importance)}
    chosen: dict[int, list[int]] = {}
    n_wanted = round(share * len(places))
    for layer, head in places:
        if sum(map(len, chosen.values())) < n_wanted and left[layer] > 1:
            chosen.setdefault(layer, []).append(head)
            left[layer] -= 1
    return {layer: tuple(sorted(heads)) for layer, heads in sorted(chosen.items())}


def prune_heads(transformer: nn.Module, heads: Mapping[int, Sequence[int]]) -> None:
    """Cut heads out of the matrices, in place: the model answers as if they were masked.

    Such a model cannot be written as a Hugging Face folder, whose configuration knows one number of
    heads for all layers; it can be exported as a graph.

    Args:
        transformer: a Hugging Face model.
        heads: which heads leave, by number of the layer.

    Raises:
        EncoderError: heads cannot be left out of this architecture.
        SettingsError: there is no such head, or a layer would have none.
    """
    attentions = attentions_of(transformer)
    for layer, leaving in heads.items():
        known = range(attentions[layer].n_heads) if layer in range(len(attentions)) else range(0)
        kept = [head for head in known if head not in leaving]
        if not kept or not set(leaving).issubset(known):
            raise SettingsError(
                f"heads {list(leaving)} of layer {layer} cannot be left out: it has {len(known)}, "
                "counted from 0, and keeps one at least"
            )
        _cut(attentions[layer], kept)


def _cut(attention: Attention, kept: Sequence[int]) -> None:
    inner, width = attention.inner, attention.width
    rows = torch.cat([torch.arange(head * width, (head + 1) * width) for head in kept])
    for matrix in (inner.query, inner.key, inner.value):
        rows = rows.to(matrix.weight.device)
        matrix.weight = nn.Parameter(matrix.weight.detach()[rows])
        matrix.bias = nn.Parameter(matrix.bias.detach()[rows])
        matrix.out_features = len(rows)
    output = attention.output
    output.weight = nn.Parameter(output.weight.detach()[:, rows])
    output.in_features = len(rows)
    inner.num_attention_heads = len(kept)
    inner.all_head_size = len(rows)
