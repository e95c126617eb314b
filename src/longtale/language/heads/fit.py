"""Heads are fitted, and as much of the language model as the settings say; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from transformers import EvalPrediction, Trainer, TrainingArguments

from longtale import log
from longtale.errors import SettingsError
from longtale.language.adapters import adapt, merge_adapter
from longtale.language.heads.examples import HeadExample, Lessons, check_known
from longtale.language.heads.fitted import FittedHeads
from longtale.language.heads.judging import judged, log_temperature
from longtale.language.heads.losses import TaskLosses
from longtale.language.heads.network import Head, HeadModel, encoded
from longtale.language.heads.settings import HeadSettings
from longtale.language.model import freeze, open_model, set_dropout, transformer_of
from longtale.language.training import METRIC, arguments, optimizer_of, trained_if_better
from longtale.seeds import generator
from longtale.stages import Stages, unseen


def fit_heads(
    folder: Path,
    examples: Sequence[HeadExample],
    settings: HeadSettings,
    *,
    out: Path,
    checkpoints: Path,
    held_out: Sequence[HeadExample] | None = None,
    score: Callable[[FittedHeads], float] | None = None,
    stages: Stages = unseen,
) -> FittedHeads:
    """Fit heads on top of a language model, and write both.

    The head begins as a linear rule of the features. Where nothing of the language model learns,
    texts are encoded once and the head learns from their vectors. Held-out examples say when to
    stop, be it before the first step, and how far probabilities are cooled.

    Args:
        folder: the language model to begin with.
        examples: what is learned from.
        settings: the tasks, and how.
        out: folder of the heads; the language model is in `encoder` within it.
        checkpoints: where training goes on after a stop.
        held_out: examples that say when to stop; None holds a share of `examples` out.
        score: says how good the heads are, higher is better; None goes by how much they explain of
            the held-out examples.
        stages: shows how far it is.

    Raises:
        DataError: a task has no labels, or examples do not fit the tasks or each other.
        EncoderError: the model cannot be loaded.
        SettingsError: both an adapter and layers are to learn, or a layer that is not there.
    """
    learned = Lessons.of(examples, settings)
    if held_out is None:
        learned, judging = learned.split(settings.held_out, generator(settings.seed, "held out"))
    else:
        judging = Lessons.of(held_out, settings)
    check_known(learned, settings, what="examples to learn from")
    check_known(judging, settings, what="held-out examples")
    heads = _new(folder, learned, settings)
    with log.stage("fitted heads", tasks=",".join(t.name for t in settings.tasks)) as told:
        if settings.head_first and not settings.is_frozen:
            first = settings.model_copy(update={"epochs": settings.head_epochs, "max_steps": None})
            lesson = _Lesson(heads, first, learned, judging, is_frozen=True)
            trained_if_better(_trainer(lesson, checkpoints / "head", score), first)
        lesson = _Lesson(heads, settings, learned, judging, is_frozen=settings.is_frozen)
        trainer = _trainer(lesson, checkpoints, score)
        found = trained_if_better(trainer, settings, stages=stages)
        told["steps"], told["best"] = found.n_steps, found.n_best
    if settings.adapter.kind != "prefix":
        merge_adapter(transformer_of(heads.encoder))
    _cool(heads, judging)
    heads.save(out)
    return heads


def _new(folder: Path, learned: Lessons, settings: HeadSettings) -> FittedHeads:
    encoder = open_model(folder, max_tokens=settings.max_tokens)
    if settings.adapter.kind == "none":
        freeze(transformer_of(encoder), settings.train_layers)
    elif settings.train_layers:
        raise SettingsError(
            f"train_layers = {settings.train_layers} and adapter.kind = '{settings.adapter.kind}': "
            "an adapter learns in place of layers; set train_layers = 0, or no adapter"
        )
    set_dropout(encoder, settings.dropout)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        adapt(encoder, settings.adapter, rng=generator(settings.seed, "prompt"))
        head = Head(int(encoder.get_embedding_dimension()), settings, learned.features)
    losses = TaskLosses(settings, learned.labels)
    head.begin(losses, torch.from_numpy(learned.features), torch.from_numpy(learned.labels))
    return FittedHeads(encoder, head.to(encoder.device), losses.to(encoder.device), settings)


@dataclass(frozen=True, eq=False)
class _Batches:
    """Makes a batch of some rows; of rows learned from and held out, one behind the other.

    Args:
        lessons: all rows.
        encoder: tokenizes the batch's texts; None where texts were encoded once.
    """

    lessons: Lessons
    encoder: SentenceTransformer | None

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        own = self.lessons.take(np.asarray(rows))
        batch: dict[str, Any] = {
            "labels": torch.from_numpy(own.labels),
            "features": torch.from_numpy(own.features),
        }
        first, second = own.first, own.second
        if self.encoder is not None:
            used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
            first, second = np.split(places, 2)
            tokens = self.encoder.preprocess([own.texts[place] for place in used.tolist()])
            batch["texts"] = {n: each for n, each in tokens.items() if isinstance(each, Tensor)}
        return batch | {"first": torch.from_numpy(first), "second": torch.from_numpy(second)}


@dataclass(frozen=True, eq=False)
class _Lesson:
    """Who learns from what, and whether texts are encoded once for all."""

    heads: FittedHeads
    settings: HeadSettings
    learned: Lessons
    judging: Lessons
    is_frozen: bool


def _trainer(
    lesson: _Lesson, checkpoints: Path, score: Callable[[FittedHeads], float] | None
) -> Trainer:
    heads, settings, learned = lesson.heads, lesson.settings, lesson.learned
    both = _joined(learned, lesson.judging)
    live, vectors = heads.encoder, None
    if lesson.is_frozen:
        live, vectors = None, encoded(heads.encoder, both.texts, settings.batch_size)
    model = HeadModel(live, heads.head, heads.losses, vectors)

    def measured(prediction: EvalPrediction) -> dict[str, float]:
        if score is not None:
            return {METRIC: float(score(heads))}
        with torch.inference_mode():
            outputs = torch.from_numpy(prediction.predictions).to(heads.losses.log_temperature)
            answers = [each.cpu().numpy() for each in heads.losses.answers(outputs)]
        return {METRIC: judged(answers, prediction.label_ids, settings.tasks)}

    return Trainer(
        model,
        arguments(
            TrainingArguments,
            settings,
            checkpoints,
            n_examples=len(learned),
            metric=METRIC,
            remove_unused_columns=False,
            label_names=["labels"],
        ),
        data_collator=_Batches(both, live),
        train_dataset=range(len(learned)),
        eval_dataset=range(len(learned), len(both)),
        compute_metrics=measured,
        optimizers=(_optimizer(model, settings), None),
    )


def _joined(learned: Lessons, judging: Lessons) -> Lessons:
    """Give the rows of both behind each other, each with its own texts."""
    shift = len(learned.texts)
    return Lessons(
        (*learned.texts, *judging.texts),
        np.concatenate([learned.first, judging.first + shift]),
        np.concatenate([learned.second, judging.second + shift]),
        np.concatenate([learned.features, judging.features]),
        np.concatenate([learned.labels, judging.labels]),
    )


def _optimizer(model: HeadModel, settings: HeadSettings) -> torch.optim.Optimizer:
    """Give the optimiser: the head is new, and learns faster than the language model."""
    kind, options = optimizer_of(settings)
    new = {id(weights) for weights in model.head.parameters()}
    old = [w for w in model.parameters() if w.requires_grad and id(w) not in new]
    groups: list[dict[str, Any]] = [
        {"params": list(model.head.parameters()), "lr": settings.head_learning_rate}
    ]
    if old:
        groups.append({"params": old, "lr": settings.learning_rate})
    return kind(groups, **{**options, "weight_decay": settings.weight_decay})


def _cool(heads: FittedHeads, judging: Lessons) -> None:
    """Set the temperatures with which held-out probabilities keep their word best."""
    with torch.inference_mode():
        logits = heads.losses.logits(heads.outputs(judging))
    for column, (task, own) in enumerate(zip(heads.settings.tasks, logits, strict=True)):
        labels = judging.labels[:, column]
        known = ~np.isnan(labels)
        if task.kind != "rating":
            found = log_temperature(own.cpu().numpy()[known], labels[known])
            with torch.no_grad():
                heads.losses.log_temperature[column] = found
