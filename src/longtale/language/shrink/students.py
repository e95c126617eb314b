"""What a student is before it learns; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import AutoModel

from longtale.arrays import Floats
from longtale.errors import EncoderError, SettingsError
from longtale.language.model import transformer_of, without_bars
from longtale.language.shrink.layers import choose_layers, keep_layers
from longtale.language.shrink.settings import DistilSettings
from longtale.language.shrink.static import (
    fitted_table,
    static_student,
    token_table,
    tokenizer_of,
)
from longtale.seeds import generator

_SAMPLE = 64
"""Texts by which layers are chosen."""


def main_directions(vectors: Floats, width: int) -> Floats:
    """Give the directions that keep most of the cosines between vectors, float32 (D, width).

    The largest eigenvectors of X'X, nothing taken off: products of rows are kept as well as they
    can be at that width (Eckart and Young 1936).

    Raises:
        SettingsError: the vectors are narrower.
    """
    if width > vectors.shape[1]:
        raise SettingsError(
            f"width = {width}, but the teacher's vectors have {vectors.shape[1]} numbers; "
            "a student is at most as wide"
        )
    exact = vectors.astype(np.float64)
    _, directions = np.linalg.eigh(exact.T @ exact)
    return np.ascontiguousarray(directions[:, ::-1][:, :width], dtype=np.float32)


def new_student(
    teacher: SentenceTransformer,
    texts: Sequence[str],
    targets: Floats,
    settings: DistilSettings,
    folder: Path,
    *,
    directions: Floats | None = None,
) -> SentenceTransformer:
    """Give a student before it is trained.

    Args:
        teacher: whom it shall be like.
        texts: by which layers are chosen and words counted.
        targets: float32 (N, width), the teacher's vectors of these texts.
        settings: what kind of student.
        folder: where a fresh one is written.
        directions: float32 (D, width), those of the teacher's that targets have; None is all.

    Raises:
        EncoderError: this kind of model cannot be the teacher of such a student.
        SettingsError: the settings do not fit the teacher.
    """
    if settings.student == "static":
        words = tokenizer_of(teacher)
        table = token_table(teacher, texts, settings.smoothing)
        table = table if directions is None else table @ directions
        rng = generator(settings.seed, "texts of a table")
        return static_student(words, fitted_table(words, table, texts, targets, rng))
    if settings.student == "fresh":
        return _fresh(teacher, settings, folder)
    if settings.width is not None:
        raise SettingsError(
            f"width = {settings.width}, but a student made of the teacher's layers is as wide as "
            "the teacher; take student = fresh or static"
        )
    student = deepcopy(teacher)
    if settings.student == "whole":
        return student
    kept = settings.layers
    if not kept:
        kept = choose_layers(teacher, texts[:_SAMPLE], settings.n_layers)
    keep_layers(transformer_of(student), kept)
    return student


def _fresh(
    teacher: SentenceTransformer, settings: DistilSettings, folder: Path
) -> SentenceTransformer:
    """Make a model of the teacher's architecture, whose words begin as the teacher's, narrowed."""
    old = cast(Any, transformer_of(teacher))
    config = deepcopy(old.config)
    width = config.hidden_size if settings.width is None else settings.width
    if width % settings.n_heads:
        raise SettingsError(
            f"n_heads = {settings.n_heads} does not divide the width {width}; name one that does"
        )
    if not hasattr(config, "intermediate_size") or getattr(config, "layer_types", None):
        raise EncoderError(
            f"a fresh student of a {type(old).__name__} cannot be made; take student = layers"
        )
    config.hidden_size, config.intermediate_size = width, 4 * width
    config.num_hidden_layers, config.num_attention_heads = settings.n_layers, settings.n_heads
    with without_bars(), torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        model = AutoModel.from_config(config)
        words = old.get_input_embeddings().weight.detach().cpu().numpy()
        narrowed = torch.from_numpy(words @ main_directions(words, width))
        model.get_input_embeddings().weight.data.copy_(narrowed)
        model.save_pretrained(str(folder))
        cast(Any, teacher.tokenizer).save_pretrained(str(folder))
    transformer = Transformer(str(folder), model_kwargs={"local_files_only": True})
    transformer.max_seq_length = teacher.max_seq_length
    mode = pooling_of(teacher)
    return SentenceTransformer(
        modules=[transformer, Pooling(width, pooling_mode=mode), Normalize()],
        prompts=teacher.prompts,
        default_prompt_name=teacher.default_prompt_name,
    )


def pooling_of(model: SentenceTransformer) -> str:
    """Give how a model makes one vector of its tokens' states."""
    for module in model:
        if isinstance(module, Pooling):
            return str(module.get_config_dict()["pooling_mode"])
    return "mean"
