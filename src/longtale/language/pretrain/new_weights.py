"""Weights that learn beside the model: how fast, and how a stopped training finds them again.

Heads are no part of the encoder, so that a trainer's checkpoints know nothing of them. Needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from longtale.language.pretrain.settings import PretrainSettings
from longtale.language.training import optimizer_of

_FILE = "new_weights.safetensors"


def new_weights(losses: nn.Module, model: nn.Module) -> dict[str, nn.Parameter]:
    """Give the weights of losses that are not the model's own, by name."""
    own = {id(weights) for weights in model.parameters()}
    return {name: w for name, w in losses.named_parameters() if id(w) not in own}


def optimizer_for(
    losses: nn.Module, model: SentenceTransformer, settings: PretrainSettings
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Give the optimiser with a learning rate of its own for new weights.

    Vectors, such as biases and scales, are not held small.
    """
    kind, options = optimizer_of(settings)
    new = list(new_weights(losses, model).values())
    own_rate = settings.new_learning_rate if settings.from_scratch else settings.learning_rate
    groups = [
        *_groups(list(model.parameters()), own_rate, settings.weight_decay),
        *_groups(new, settings.new_learning_rate, settings.weight_decay),
    ]
    return kind, {**options, "optimizer_dict": groups}


class NewWeightsKept(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Keeps new weights with each checkpoint, and takes them up again.

    Args:
        weights: by name; changed in place.
    """

    def __init__(self, weights: dict[str, nn.Parameter]) -> None:
        self._weights = weights

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write them beside the model; one of several processes does."""
        if not state.is_world_process_zero:
            return
        tensors = {name: w.detach().cpu().contiguous() for name, w in self._weights.items()}
        save_file(tensors, _checkpoint(args, state) / _FILE)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Go on with those of the checkpoint."""
        if state.global_step:
            self._take(_checkpoint(args, state))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Take those that belong to the best model."""
        if args.load_best_model_at_end and state.best_model_checkpoint is not None:
            self._take(Path(state.best_model_checkpoint))

    def _take(self, folder: Path) -> None:
        kept = load_file(folder / _FILE)
        with torch.no_grad():
            for name, weights in self._weights.items():
                weights.copy_(kept[name])


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _groups(weights: list[nn.Parameter], rate: float, decay: float) -> Iterator[dict[str, Any]]:
    learning = [w for w in weights if w.requires_grad]
    for is_matrix in (True, False):
        chosen = [w for w in learning if (w.ndim > 1) == is_matrix]
        if chosen:
            yield {"params": chosen, "lr": rate, "weight_decay": decay * is_matrix}
