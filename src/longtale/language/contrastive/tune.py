"""Contrastive fine-tuning of an encoder on what people did; needs torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from torch import nn
from transformers.trainer_utils import get_last_checkpoint

from longtale.contracts import Encode
from longtale.errors import SettingsError
from longtale.language.adapters import add_adapter, merge_adapter
from longtale.language.contrastive.behaviour import Behaviour, nothing_to_learn
from longtale.language.contrastive.catalog_loss import CatalogLoss
from longtale.language.contrastive.head import new_head, put_head
from longtale.language.contrastive.loss import InBatchLoss
from longtale.language.contrastive.pair_texts import PairTexts
from longtale.language.contrastive.pairs import distinct, in_turn
from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.model import (
    encoded,
    open_model,
    prepare,
    save_model,
    shorten,
    transformer_of,
)
from longtale.language.training import (
    METRIC,
    Scored,
    Trained,
    arguments,
    is_bf16,
    n_steps_of,
    optimizer_of,
    trained,
)
from longtale.seeds import generator
from longtale.stages import Stages, unseen


def tune(
    folder: Path,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    *,
    out: Path,
    checkpoints: Path,
    score: Callable[[Encode], float] | None = None,
    stages: Stages = unseen,
) -> Trained:
    """Fine-tune an encoder and write it as a plain model.

    Args:
        folder: the encoder to begin with.
        behaviour: what it learns from.
        settings: how.
        out: where the new encoder is written.
        checkpoints: where training goes on after a stop.
        score: says how good the model is, by what it says of texts; higher is better, and the best
            one is kept. None keeps the last.
        stages: shows how far it is.

    Raises:
        DataError: nobody chose two items that have a text.
        SettingsError: nothing would learn.
    """
    rng = generator(settings.seed, "contrastive pairs")
    model = open_model(folder)
    if settings.objective == "head":
        found = _head_alone(model, behaviour, settings, rng, score, stages)
    else:
        longest = shorten(model, settings.max_tokens)
        prepare(model, settings)
        add_adapter(transformer_of(model), settings.adapter)
        if settings.objective == "pairs":
            examples, loss = _by_pairs(model, behaviour, settings, rng)
        else:
            examples, loss = _by_histories(model, behaviour, settings, rng, checkpoints, stages)
        trainer = _trainer(model, examples, loss, settings, checkpoints, score)
        found = trained(trainer, settings, stages=stages)
        merge_adapter(transformer_of(model))
        model.max_seq_length = longest
    save_model(model, out)
    return found


def _trainer(
    model: SentenceTransformer,
    examples: Dataset,
    loss: nn.Module,
    settings: ContrastiveSettings,
    checkpoints: Path,
    score: Callable[[Encode], float] | None,
) -> SentenceTransformerTrainer:
    return SentenceTransformerTrainer(
        model,
        arguments(
            SentenceTransformerTrainingArguments,
            settings,
            checkpoints,
            n_examples=settings.n_pairs,
            metric=None if score is None else METRIC,
        ),
        train_dataset=examples,
        loss=loss,
        evaluator=None if score is None else Scored(lambda own: score(partial(encoded, own))),
        optimizer_cls_and_kwargs=optimizer_of(settings),
    )


def _head_alone(
    model: SentenceTransformer,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    rng: np.random.Generator,
    score: Callable[[Encode], float] | None,
    stages: Stages,
) -> Trained:
    """Let a matrix on top of the model learn, which reads each text once."""
    if not settings.head_steps:
        raise SettingsError("head_steps = 0: nothing would learn; set it to 1 or more")
    loss = _catalog_loss(model, behaviour, settings, rng)
    curve = _teach(model, loss, settings, stages, score)
    best = max(curve, key=lambda step: (curve[step], step), default=settings.head_steps)
    return Trained(settings.head_steps, curve, best, {})


def _by_histories(
    model: SentenceTransformer,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    rng: np.random.Generator,
    checkpoints: Path,
    stages: Stages,
) -> tuple[Dataset, nn.Module]:
    """Give the items' texts, each as often as any other, and what is asked about them."""
    loss = _catalog_loss(model, behaviour, settings, rng)
    if settings.head_steps and _is_begun(checkpoints):
        put_head(model, new_head(model))  # its weights come from there
    elif settings.head_steps:
        _teach(model, loss, settings, stages)
    n = n_steps_of(settings, settings.n_pairs) * settings.batch_size
    rows = in_turn(loss.rows.astype(np.int64), n, rng).tolist()
    texts = [behaviour.texts[row] for row in rows]
    return Dataset.from_dict({"text": texts, "label": rows}), loss


def _catalog_loss(
    model: SentenceTransformer,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    rng: np.random.Generator,
) -> CatalogLoss:
    known = distinct(behaviour.known)
    if not (known.lengths >= 2).any():
        raise nothing_to_learn(known)
    return CatalogLoss(
        model,
        behaviour.texts,
        known,
        n_users=settings.users,
        n_events=settings.events,
        temperature=settings.temperature,
        rng=rng,
        in_bf16=is_bf16(settings),
    )


def _teach(
    model: SentenceTransformer,
    loss: CatalogLoss,
    settings: ContrastiveSettings,
    stages: Stages,
    score: Callable[[Encode], float] | None = None,
) -> dict[int, float]:
    head = new_head(model)
    curve = loss.teach(
        head,
        n_steps=settings.head_steps,
        learning_rate=settings.head_learning_rate,
        score=score,
        every=max(1, settings.head_steps // settings.n_evaluations),
        stages=stages,
    )
    put_head(model, head)
    return curve


def _by_pairs(
    model: SentenceTransformer,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    rng: np.random.Generator,
) -> tuple[Dataset, nn.Module]:
    """Give pairs of texts that go together, and what is asked about them."""
    pairs = PairTexts.drawn(behaviour, settings, rng)
    loss = InBatchLoss(
        model,
        pairs.together.met,
        torch.from_numpy(pairs.log_q(settings.log_q)),
        temperature=settings.temperature,
    )
    return pairs.as_dataset(behaviour, settings.history), loss


def _is_begun(checkpoints: Path) -> bool:
    return checkpoints.is_dir() and get_last_checkpoint(str(checkpoints)) is not None
