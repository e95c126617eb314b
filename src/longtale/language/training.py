"""One way to run the trainers of transformers and sentence-transformers; needs torch.

Theirs are the loop, the optimiser, checkpoints, several processes and trackers. Ours is how they
are asked: how often to look, what is best, when to stop, and how to go on after a stop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from longtale.language.model import without_bars
from longtale.language.settings import TrainingSettings
from longtale.stages import Advance, Stages, unseen

Arguments = TypeVar("Arguments", bound=TrainingArguments)

METRIC = "score"
"""Name of what an evaluator gives; higher is better."""
_MOMENTUM = 0.9
_WAIT_S = 24 * 3600
"""So long further processes wait for the first one, which judges the model before it trains."""
_KEEP_EVERY_S = 60.0
"""At least so often a checkpoint is written: what is stopped loses no more than that."""


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Args:
        n_steps: steps that were made, those before a stop included.
        curve: the metric at each evaluation, by step.
        n_best: step whose weights the model has now; the last one where nothing was evaluated.
        losses: mean training loss since the last time, by step.
    """

    n_steps: int
    curve: dict[int, float]
    n_best: int
    losses: dict[int, float]


class Scored(SentenceEvaluator):  # type: ignore[misc, unused-ignore]
    """A function of the model as an evaluator of sentence-transformers.

    Args:
        score: gives how good the model is; higher is better.
    """

    def __init__(self, score: Callable[[SentenceTransformer], float]) -> None:
        super().__init__()
        self.primary_metric = METRIC
        self._score = score

    def __call__(self, model: SentenceTransformer, *_: object, **__: object) -> dict[str, float]:
        """Give the score by name."""
        with judging(model):
            return {METRIC: float(self._score(model))}


@contextmanager
def judging(model: nn.Module) -> Iterator[None]:
    """Let a model that is in training answer as it will afterwards, while this lasts.

    Without dropout, without gradients, and in full precision, in which it is not while a trainer
    has wrapped what it does.
    """
    was_training, wrapped = model.training, model.forward
    model.forward = vars(model).get("_original_forward", wrapped)
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
        model.forward = wrapped


def n_steps_of(settings: TrainingSettings, n_examples: int) -> int:
    """Give how many steps a training takes at most."""
    steps = max(1, math.ceil(math.ceil(n_examples / settings.batch_size) * settings.epochs))
    return steps if settings.max_steps is None else min(steps, settings.max_steps)


def arguments(
    kind: type[Arguments],
    settings: TrainingSettings,
    folder: Path,
    *,
    n_examples: int,
    metric: str | None,
    is_loss: bool = False,
    **further: Any,
) -> Arguments:
    """Give a trainer's arguments.

    Args:
        kind: class of the arguments.
        settings: how to train.
        folder: where checkpoints are kept.
        n_examples: examples of one pass.
        metric: what says which weights are best, as the trainer names it; None keeps the last.
        is_loss: whether less of it is better.
        further: arguments of this trainer alone.
    """
    n_steps = n_steps_of(settings, n_examples)
    every = max(1, n_steps // settings.n_evaluations)
    in_bf16 = is_bf16(settings)
    judged: dict[str, Any] = {}
    if metric is not None:
        judged = {
            "eval_strategy": "steps",
            "eval_steps": every,
            "load_best_model_at_end": True,
            "metric_for_best_model": metric,
            "greater_is_better": not is_loss,
        }
    return kind(
        output_dir=str(folder),
        max_steps=n_steps,
        ddp_timeout=_WAIT_S,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=math.ceil(settings.warm_up * n_steps),
        bf16=in_bf16,
        use_cpu=in_bf16 and not torch.cuda.is_available(),  # or it asks for a GPU
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        logging_steps=every,
        disable_tqdm=True,
        report_to=list(settings.track) if settings.track else "none",
        seed=settings.seed,
        dataloader_pin_memory=torch.cuda.is_available(),
        **judged,
        **further,
    )


def optimizer_of(settings: TrainingSettings) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Give the optimiser as a trainer takes it (`optimizer_cls_and_kwargs`)."""
    if settings.optimizer == "sgd":
        return torch.optim.SGD, {"lr": settings.learning_rate, "momentum": _MOMENTUM}
    return torch.optim.AdamW, {"lr": settings.learning_rate}


def trained(
    trainer: Trainer,
    settings: TrainingSettings,
    *,
    stages: Stages = unseen,
) -> Trained:
    """Train, from the last checkpoint on where there is one.

    Args:
        trainer: of transformers or sentence-transformers, made with `arguments`.
        settings: how to train.
        stages: shows the steps.
    """
    trainer.remove_callback(PrinterCallback)  # it prints each evaluation
    if settings.patience and trainer.args.metric_for_best_model is not None:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    folder = Path(trainer.args.output_dir)
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    with stages("train", total=trainer.args.max_steps) as advance, without_bars():
        trainer.add_callback(_Watch(advance))
        trainer.train(resume_from_checkpoint=last)
        trainer.accelerator.wait_for_everyone()  # or one goes on and clears what others still read
    # Or the model goes on answering in the precision of its training.
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    return _told(trainer)


def trained_if_better(
    trainer: Trainer, settings: TrainingSettings, *, stages: Stages = unseen
) -> Trained:
    """Train; the weights from before stay where no evaluation finds better ones (`n_best` is 0).

    In one process alone; takes what `trained` takes.
    """
    model: Any = trainer.model
    start = {name: weights.clone() for name, weights in model.state_dict().items()}
    trainer.remove_callback(PrinterCallback)
    before = float(trainer.evaluate()[f"eval_{METRIC}"])
    found = trained(trainer, settings, stages=stages)
    if found.curve[found.n_best] > before:
        return found
    model.load_state_dict(start)
    return replace(found, n_best=0)


class _Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Tells of each step, and has a checkpoint written every minute."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._kept_at = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Tell of the steps that were made before a stop."""
        if state.global_step:
            self._advance(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Tell of one step."""
        self._advance(1)
        if time.monotonic() - self._kept_at > _KEEP_EVERY_S:
            control.should_save = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Begin the minute anew."""
        self._kept_at = time.monotonic()


def _told(trainer: Trainer) -> Trained:
    state, name = trainer.state, trainer.args.metric_for_best_model
    key = None if name is None else f"eval_{name.removeprefix('eval_')}"
    history = state.log_history
    curve = {int(each["step"]): float(each[key]) for each in history if key in each}
    losses = {int(each["step"]): float(each["loss"]) for each in history if "loss" in each}
    n_best = state.global_step if state.best_global_step is None else state.best_global_step
    return Trained(state.global_step, curve, int(n_best), losses)


def is_bf16(settings: TrainingSettings) -> bool:
    """Say whether products are computed in bfloat16."""
    if settings.precision != "auto":
        return settings.precision == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
