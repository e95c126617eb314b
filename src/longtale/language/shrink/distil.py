"""A small encoder learns to say what a large one says; needs torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss
from torch import nn

from longtale import log
from longtale.arrays import Floats, unit_rows
from longtale.errors import DataError, SettingsError
from longtale.language.adapters import add_adapter, merge_adapter
from longtale.language.adversarial.perturbations import beginnings, spoilt, usual_perturbations
from longtale.language.model import (
    encoded,
    n_weights,
    open_model,
    prepare,
    save_model,
    shorten,
    transformer_of,
)
from longtale.language.shrink.losses import TeacherLoss, evening_of
from longtale.language.shrink.reading import LikeLengths, pieces_of
from longtale.language.shrink.settings import DistilSettings
from longtale.language.shrink.static import MOST_TEXTS
from longtale.language.shrink.students import main_directions, new_student
from longtale.language.training import METRIC, Scored, Trained, arguments, optimizer_of, trained
from longtale.seeds import generator
from longtale.stages import Stages, unseen

_FEWEST = 4
_SOLVED = Trained(n_steps=0, curve={}, n_best=0, losses={})
_HELD_OUT, _MOST_HELD_OUT = 0.1, 256


@dataclass(frozen=True)
class Distilled:
    """What came of a distillation.

    Args:
        trained: steps and curve.
        n_read: texts, pieces and spoilt copies that were learned from.
        n_held_out: texts and spoilt copies that judged; none of them was learned from.
        cosine: mean cosine of student and teacher on them.
        cosine_before: the same before the first step.
        even_cosine: the same when directions are made to count alike.
        n_weights: of the student.
        n_weights_of_teacher: of the teacher.
    """

    trained: Trained
    n_read: int
    n_held_out: int
    cosine: float
    cosine_before: float
    even_cosine: float
    n_weights: int
    n_weights_of_teacher: int


def distil(
    folder: Path,
    texts: Sequence[str],
    settings: DistilSettings,
    *,
    out: Path,
    checkpoints: Path,
    score: Callable[[SentenceTransformer], float] | None = None,
    stages: Stages = unseen,
) -> Distilled:
    """Teach a small encoder what a large one says of texts, and write it.

    A tenth of the texts is held out and judges, spoilt ones too where spoilt ones are learned from:
    so a model comes to see through them (stability training, Zheng et al. 2016, arXiv:1604.04326;
    against typing errors in search Zhuang and Zuccon 2022, arXiv:2204.00716). What `out` holds can
    be named as `encode.model`; a static student answers without torch, any other one once its graph
    was exported.

    Args:
        folder: the teacher.
        texts: what is read; blank ones are left out.
        settings: what kind of student, and how it learns.
        out: where the student is written.
        checkpoints: where the teacher's vectors are kept, and training goes on after a stop.
        score: says how good the student is, higher is better; the best one is kept. None takes the
            even cosine on what was held out.
        stages: shows how far it is.

    Raises:
        DataError: there are too few texts.
        EncoderError: the teacher cannot be loaded, or cannot have such a student.
        SettingsError: the settings do not fit the teacher.
    """
    teacher = open_model(folder)
    longest = shorten(teacher, settings.max_tokens)
    lesson = _Lesson.of(teacher, texts, settings, checkpoints, stages)
    student = new_student(
        teacher,
        lesson.read,
        lesson.targets,
        settings,
        checkpoints / "fresh",
        directions=lesson.directions,
    )
    if settings.student != "static":
        prepare(student, settings)
        add_adapter(transformer_of(student), settings.adapter)
    before = lesson.likeness(student)
    with log.stage("distilled a model", student=settings.student) as told:
        result = _SOLVED
        if not _is_solved(settings, lesson):
            judge = score if score is not None else lambda model: lesson.likeness(model)[1]
            trainer = _trainer(student, lesson, settings, checkpoints, judge)
            result = trained(trainer, settings, stages=stages)
        told["steps"] = result.n_steps
    if settings.student != "static":
        merge_adapter(transformer_of(student))
        student.max_seq_length = longest
    after = lesson.likeness(student)
    save_model(student, out)
    return Distilled(
        trained=result,
        n_read=len(lesson.read),
        n_held_out=len(lesson.held_out),
        cosine=after[0],
        cosine_before=before[0],
        even_cosine=after[1],
        n_weights=n_weights(student),
        n_weights_of_teacher=n_weights(teacher),
    )


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What is read, and what the teacher says of it.

    Args:
        read: texts, pieces and spoilt copies to learn from.
        targets: float32 (n, D), the teacher's unit vectors of them, of copies those of the whole.
        held_out: texts that judge, and a spoilt copy of each where such are learned from.
        right: float32 (m, D), the teacher's unit vectors of them.
        directions: float32 (D', D), how wider vectors of the teacher were narrowed.
    """

    read: Sequence[str]
    targets: Floats
    held_out: Sequence[str]
    right: Floats
    directions: Floats | None

    @classmethod
    def of(
        cls,
        teacher: SentenceTransformer,
        texts: Sequence[str],
        settings: DistilSettings,
        checkpoints: Path,
        stages: Stages,
    ) -> _Lesson:
        known = list(dict.fromkeys(text for text in texts if text.strip()))
        if len(known) < _FEWEST:
            raise DataError(
                f"{len(known)} different texts that are not blank, but distillation needs "
                f"{_FEWEST} or more; give the texts of the catalogue"
            )
        rng = generator(settings.seed, "texts to distil")
        order = rng.permutation(len(known))
        n_held_out = min(max(1, round(_HELD_OUT * len(known))), _MOST_HELD_OUT)
        held_out = [known[row] for row in order[:n_held_out]]
        whole = [known[row] for row in order[n_held_out:]]
        read = whole + pieces_of(whole, settings.pieces, rng)
        said = _said(teacher, [*held_out, *read], checkpoints, stages)
        right, targets, directions = said[:n_held_out], said[n_held_out:], None
        if settings.width is not None and settings.student in ("fresh", "static"):
            directions = main_directions(targets, settings.width)
            right, targets = (unit_rows(vectors @ directions) for vectors in (right, targets))
        if settings.spoilt:
            read += [text for _ in range(settings.spoilt) for text in _spoilt(whole, rng)]
            targets = np.concatenate([targets, *[targets[: len(whole)]] * settings.spoilt])
            held_out += _spoilt(held_out, rng)
            right = np.concatenate([right, right])
        return cls(read, targets, held_out, right, directions)

    def likeness(self, student: SentenceTransformer) -> tuple[float, float]:
        """Give the mean cosine to the teacher on held-out texts, plain and even."""
        own = encoded(student, self.held_out)
        even = evening_of(torch.from_numpy(self.targets))
        pairs = [
            (own, self.right),
            tuple(unit_rows(even(torch.from_numpy(x)).numpy()) for x in (own, self.right)),
        ]
        plain, evened = (float((first * second).sum(axis=1).mean()) for first, second in pairs)
        return plain, evened

    def as_dataset(self) -> Dataset:
        """Give texts with the rows of their targets."""
        return Dataset.from_dict({"text": list(self.read), "label": list(range(len(self.read)))})


def _spoilt(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    return spoilt(texts, rng, share=1.0, perturbations=usual_perturbations(beginnings(texts)))


def _said(
    teacher: SentenceTransformer, texts: Sequence[str], checkpoints: Path, stages: Stages
) -> Floats:
    """Give the teacher's vectors; what was read before a stop is not read again."""
    path = checkpoints / "teacher.npy"
    if path.is_file():
        return cast(Floats, np.load(path))
    with stages("ask the teacher", total=len(texts)) as advance:
        found = encoded(teacher, texts, advance)
    checkpoints.mkdir(parents=True, exist_ok=True)
    part = checkpoints / f"teacher.{os.getpid()}.npy"  # several processes may ask
    np.save(part, found)
    part.replace(path)
    return found


def _is_solved(settings: DistilSettings, lesson: _Lesson) -> bool:
    """Say whether least squares has found what training would look for."""
    is_static = settings.student == "static"
    return is_static and not settings.matryoshka and len(lesson.read) <= MOST_TEXTS


def _trainer(
    student: SentenceTransformer,
    lesson: _Lesson,
    settings: DistilSettings,
    checkpoints: Path,
    judge: Callable[[SentenceTransformer], float],
) -> SentenceTransformerTrainer:
    return SentenceTransformerTrainer(
        student,
        arguments(
            SentenceTransformerTrainingArguments,
            settings,
            checkpoints,
            n_examples=len(lesson.read),
            metric=METRIC,
            batch_sampler=LikeLengths,
        ),
        train_dataset=lesson.as_dataset(),
        loss=_loss(student, lesson.targets, settings),
        evaluator=Scored(judge),
        optimizer_cls_and_kwargs=optimizer_of(settings),
    )


def _loss(student: SentenceTransformer, targets: Floats, settings: DistilSettings) -> nn.Module:
    loss: nn.Module = TeacherLoss(
        student,
        torch.from_numpy(targets),
        even_weight=settings.even_weight,
        similarity_weight=settings.similarity_weight,
    )
    if not settings.matryoshka:
        return loss
    width = targets.shape[1]
    if max(settings.matryoshka) >= width:
        raise SettingsError(
            f"matryoshka = {list(settings.matryoshka)}, but the student's vectors have {width} "
            "numbers; name smaller lengths"
        )
    nested: nn.Module = MatryoshkaLoss(student, loss, [width, *settings.matryoshka])
    return nested
