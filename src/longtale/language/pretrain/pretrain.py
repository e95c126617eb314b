"""An encoder that has read the catalogue: written to a folder like the one it came from.

Needs torch and the extra `language`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
from torch import nn

from longtale import log
from longtale.errors import EncoderError, MissingExtraError, SettingsError
from longtale.language.adapters import add_adapter, merge_adapter
from longtale.language.model import open_model, prepare, save_model, shorten, transformer_of
from longtale.language.pretrain.examples import Examples
from longtale.language.pretrain.head import save_head
from longtale.language.pretrain.held_out import LOSS, HeldOut
from longtale.language.pretrain.losses import make_losses
from longtale.language.pretrain.new_weights import NewWeightsKept, new_weights, optimizer_for
from longtale.language.pretrain.objectives import MaskedWords
from longtale.language.pretrain.scratch import write_new_model
from longtale.language.pretrain.settings import Objective, PretrainSettings
from longtale.language.training import Scored, Trained, arguments, trained
from longtale.stages import Stages, unseen

_COLUMNS = ("first", "second")


@dataclass(frozen=True)
class Pretrained:
    """What came of a pre-training.

    Args:
        trained: steps and curve; the curve is the held-out loss, or the score where one was given.
        n_train: examples of one pass.
        n_held_out: examples that judged.
        before: measures of the held-out examples before the first step, heads being new.
        after: the same of the model that was written.
    """

    trained: Trained
    n_train: int
    n_held_out: int
    before: dict[str, float]
    after: dict[str, float]


def pretrain(
    folder: Path,
    texts: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    settings: PretrainSettings,
    *,
    out: Path,
    checkpoints: Path,
    stages: Stages = unseen,
    score: Callable[[SentenceTransformer], float] | None = None,
) -> Pretrained:
    """Let a model learn from texts without labels, and write it as an encoder.

    The model keeps its pooling; heads are left behind, but that for hidden words, which is written
    into a folder of its own beside the weights.

    Args:
        folder: the model to begin with; not read where the settings ask for one from scratch.
        texts: what it reads.
        pairs: texts that belong together, for the objective next_sentence.
        settings: what it learns and how.
        out: folder of the new encoder, which the setting `encode.model` can name.
        checkpoints: folder in which a training that was stopped goes on.
        stages: shows how far it is.
        score: says how good the model is, higher is better, and so when to stop; None goes by the
            loss of the held-out examples.

    Raises:
        DataError: too few texts or pairs for an objective.
        EncoderError: the model cannot be loaded, or cannot learn an objective.
        MissingExtraError: the extra `language` is not installed.
        SettingsError: nothing would learn.
    """
    examples = Examples.of(texts, pairs, settings)
    lesson = _lesson(folder, texts, settings, checkpoints)
    model = lesson.model
    held_out = HeldOut(
        lesson.losses,
        examples.held_out,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    before = held_out(model)
    with log.stage("pre-trained a model", objectives=",".join(settings.objectives)) as told:
        judge = held_out if score is None else Scored(score)
        trainer = _trainer(lesson, examples, settings, judge=judge, folder=checkpoints)
        result = trained(trainer, settings, stages=stages)
        told["steps"] = result.n_steps
    after = held_out(model)
    _write(lesson, out)
    return Pretrained(result, examples.n_train, examples.n_held_out, before, after)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """A model and what it is to learn; `longest` is where it cut texts before."""

    model: SentenceTransformer
    losses: nn.ModuleDict
    longest: int | None


def _lesson(
    folder: Path, texts: Sequence[str], settings: PretrainSettings, checkpoints: Path
) -> _Lesson:
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        if settings.from_scratch:
            folder = write_new_model(checkpoints / "scratch", texts, settings.scratch)
        model = open_model(folder)
        longest = shorten(model, settings.max_tokens)
        losses = make_losses(model, folder, settings)
    # Denoising puts weights of its own, which all learn, into the place of the model's.
    prepare(model, settings)
    add_adapter(transformer_of(model), settings.adapter)
    _check(model, losses, settings)
    return _Lesson(model, losses, longest)


def _check(model: SentenceTransformer, losses: nn.ModuleDict, settings: PretrainSettings) -> None:
    if not any(weights.requires_grad for weights in losses.parameters()):
        raise SettingsError(
            f"train_layers = {settings.train_layers}: nothing would learn, since "
            f"{', '.join(settings.objectives)} has no head; let at least one layer learn"
        )
    dropped = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    if Objective.CONTRASTIVE in settings.objectives and not any(dropped):
        raise EncoderError(
            "the objective contrastive reads each text twice with dropout, but this model leaves "
            "nothing out at random; set dropout = 0.1, or leave the objective out where the model "
            "has no place for dropout"
        )


def _trainer(
    lesson: _Lesson,
    examples: Examples,
    settings: PretrainSettings,
    *,
    judge: SentenceEvaluator,
    folder: Path,
) -> SentenceTransformerTrainer:
    try:
        from datasets import Dataset, DatasetDict  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise MissingExtraError("datasets", extra="language", purpose="pre-training") from None
    tables = {
        str(objective): Dataset.from_dict(
            dict(zip(_COLUMNS, zip(*rows, strict=True), strict=False))
        )
        for objective, rows in examples.train.items()
    }
    return SentenceTransformerTrainer(
        lesson.model,
        arguments(
            SentenceTransformerTrainingArguments,
            settings,
            folder,
            n_examples=examples.n_train,
            metric=judge.primary_metric,
            is_loss=judge.primary_metric == LOSS,
        ),
        train_dataset=DatasetDict(tables),
        loss=dict(lesson.losses.items()),
        evaluator=judge,
        callbacks=[NewWeightsKept(new_weights(lesson.losses, lesson.model))],
        optimizer_cls_and_kwargs=optimizer_for(lesson.losses, lesson.model, settings),
    )


def _write(lesson: _Lesson, out: Path) -> None:
    merge_adapter(transformer_of(lesson.model))
    lesson.model.max_seq_length = lesson.longest
    save_model(lesson.model, out)
    for loss in lesson.losses.values():
        if isinstance(loss, MaskedWords):
            save_head(loss.head, out)
