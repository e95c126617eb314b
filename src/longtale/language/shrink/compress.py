"""Smaller variants of an encoder that need no training, and what each costs; needs torch."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from sentence_transformers import SentenceTransformer
from torch import nn

from longtale.arrays import Floats
from longtale.contracts import OnProgress, TextEncoder
from longtale.errors import DataError
from longtale.language.model import open_model, save_model, shorten, transformer_of
from longtale.language.shrink.heads import (
    importance_by_ablation,
    importance_by_gradient,
    least_important,
    prune_heads,
)
from longtale.language.shrink.layers import choose_layers, keep_layers
from longtale.language.shrink.settings import CompressSettings
from longtale.seeds import generator

WHOLE = "whole"
_FEWEST = 4


class Export(Protocol):
    """Writes a model as a graph that answers without torch (`longtale.encode.exported`)."""

    def __call__(
        self,
        folder: Path,
        out: Path,
        *,
        bits: Literal[8, 32] = 32,
        transformer: nn.Module | None = None,
    ) -> TextEncoder:
        """Write it, and open what was written."""
        ...


@dataclass(frozen=True)
class Variant:
    """A smaller encoder, and what it is worth.

    Args:
        name: such as `3 layers` or `8 bits`.
        folder: what `encode.model` can name.
        size_mb: of the folder, in millions of bytes.
        speed: texts per processor second, as a multiple of the whole model's.
        cosine: mean cosine of its vectors and the whole model's.
        note: what was left out.
    """

    name: str
    folder: Path
    size_mb: float
    speed: float
    cosine: float
    note: str = ""


def compress(
    folder: Path,
    texts: Sequence[str],
    settings: CompressSettings,
    *,
    out: Path,
    export: Export,
    on_progress: OnProgress = None,
) -> list[Variant]:
    """Make smaller variants of an encoder, and measure them beside it.

    All are run as graphs by the same engine. The whole model comes first.

    Args:
        folder: the model.
        texts: choose layers and heads, and measure; no text does both where there are enough.
        settings: which variants.
        out: each is written into a folder of its own below.
        export: writes graphs.
        on_progress: is told of each variant that is there.

    Raises:
        DataError: there are too few texts.
        EncoderError: the model cannot be cut so, or not be exported.
        SettingsError: the model has fewer layers.
    """
    sample, measured = _parted(texts, settings)
    told = [Variant(WHOLE, folder, size_mb(folder), 1.0, 1.0)]
    with tempfile.TemporaryDirectory() as graphs:
        whole = export(folder, Path(graphs) / WHOLE)
        right = whole.encode(measured)
        for made in _variants(folder, sample, settings, out, partial(export, folder)):
            encoder = made.encoder
            if encoder is None:
                encoder = export(made.folder, Path(graphs) / made.folder.name)
            speed = speed_ratio(encoder, whole, measured, settings.n_rounds)
            cosine = float((encoder.encode(measured) * right).sum(axis=1).mean())
            told.append(
                Variant(made.name, made.folder, size_mb(made.folder), speed, cosine, made.note)
            )
            if on_progress is not None:
                on_progress(1)
    return told


class _Made(NamedTuple):
    """A variant that was written; without an encoder it is a model that can learn further."""

    name: str
    folder: Path
    note: str
    encoder: TextEncoder | None


def _variants(
    folder: Path,
    sample: Sequence[str],
    settings: CompressSettings,
    out: Path,
    export: Callable[..., TextEncoder],
) -> Iterator[_Made]:
    if settings.int8:
        yield _Made("8 bits", out / "int8", "", export(out / "int8", bits=8))
    model = open_model(folder)
    longest = shorten(model, settings.max_tokens)
    for n_layers in settings.layers:
        kept = choose_layers(model, sample, n_layers)
        smaller = deepcopy(model)
        keep_layers(transformer_of(smaller), kept)
        smaller.max_seq_length = longest
        place = out / f"layers-{n_layers}"
        save_model(smaller, place)
        yield _Made(f"{n_layers} layers", place, f"layers {', '.join(map(str, kept))}", None)
    for share in settings.heads:
        leaving = least_important(_importance(model, sample, settings), share)
        transformer: Any = deepcopy(transformer_of(model))
        transformer.set_attn_implementation("eager")
        prune_heads(transformer, leaving)
        percent = round(100 * (1 - share))
        place = out / f"heads-{percent}"
        note = f"{sum(map(len, leaving.values()))} heads fewer"
        yield _Made(f"{percent} % of heads", place, note, export(place, transformer=transformer))


def _importance(
    model: SentenceTransformer, sample: Sequence[str], settings: CompressSettings
) -> list[Floats]:
    if settings.importance == "ablation":
        return importance_by_ablation(model, sample)
    return importance_by_gradient(model, sample, generator(settings.seed, "heads"))


def _parted(texts: Sequence[str], settings: CompressSettings) -> tuple[list[str], list[str]]:
    known = list(dict.fromkeys(text for text in texts if text.strip()))
    if len(known) < _FEWEST:
        raise DataError(
            f"{len(known)} different texts that are not blank, but {_FEWEST} or more are needed to "
            "choose and to measure; give the texts of the catalogue"
        )
    order = generator(settings.seed, "texts to compress by").permutation(len(known))
    n_sample = min(settings.n_sample, len(known) // 2)
    mixed = [known[row] for row in order]
    return mixed[:n_sample], mixed[n_sample : n_sample + settings.n_measured]


def speed_ratio(
    encoder: TextEncoder,
    other: TextEncoder,
    texts: Sequence[str],
    n_rounds: int,
    *,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Give how many texts one encoder reads in the processor time in which another reads one.

    Both read all texts in turns, so that what else goes on meets both; the median of the rounds.
    """
    ratios = []
    for encode in (encoder.encode, other.encode):
        encode(texts[:1])  # loads the model
    for _ in range(n_rounds):
        spent = [_seconds(encode, texts, clock) for encode in (other.encode, encoder.encode)]
        ratios.append(spent[0] / spent[1])
    return float(np.median(ratios))


def _seconds(
    encode: Callable[[Sequence[str]], Floats], texts: Sequence[str], clock: Callable[[], float]
) -> float:
    gc.collect()
    start = clock()
    encode(texts)
    return max(clock() - start, 1e-9)


def size_mb(folder: Path) -> float:
    """Give the millions of bytes in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
