"""What a training needs to go on after a stop, in one file without pickle; needs torch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from longtale.errors import DataError
from longtale.models.sequence.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a training is.

    The best pass is the last one that is not surely worse than the highest: whose validating users
    lose no more than a standard error of the difference. The rate falls all the while, and a few
    hundred users show one pass or another .01 higher than it is.

    Args:
        losses: mean loss of each pass.
        curve: nDCG@10 of validation after each pass, NaN without validation.
        n_best: passes after which validation was best; all without validation.
        best: the weights then, in the order of the net's own; empty before the first pass.
        highest: float64 (n,), nDCG@10 of each validating user after the pass with the highest mean.
    """

    losses: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    n_best: int = 0
    best: Sequence[Tensor] = field(default=())
    highest: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def n_epochs(self) -> int:
        """Passes that are done."""
        return len(self.losses)

    def is_over(self, patience: int) -> bool:
        """Say whether the best pass lies so many passes back."""
        return self.n_epochs - self.n_best >= patience

    def followed_by(
        self, loss: float, gains: NDArray[np.float64], weights: Sequence[Tensor]
    ) -> Progress:
        """Add a pass and what its validating users got, (n,); with none of them it is the best."""
        value = float(gains.mean()) if len(gains) else math.nan
        done = replace(self, losses=(*self.losses, loss), curve=(*self.curve, value))
        if not len(self.highest) or value > self.highest.mean():
            return replace(done, n_best=done.n_epochs, best=weights, highest=gains)
        lost = self.highest - gains
        if lost.mean() <= lost.std() / math.sqrt(len(lost)):
            return replace(done, n_best=done.n_epochs, best=weights)
        return done


def kept(path: Path, trainer: Trainer, progress: Progress, fingerprint: str) -> None:
    """Write the checkpoint, whole or not at all."""
    tensors = _named(trainer)
    tensors |= {f"best.{place}": weight for place, weight in enumerate(progress.best)}
    tensors["highest"] = torch.from_numpy(progress.highest)
    said = {
        "fingerprint": fingerprint,
        "losses": progress.losses,
        "curve": progress.curve,
        "n_best": progress.n_best,
    }
    unfinished = path.with_suffix(path.suffix + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, unfinished, metadata={"progress": json.dumps(said)})
    unfinished.replace(path)


def resumed(path: Path, trainer: Trainer, fingerprint: str) -> Progress:
    """Put a trainer into the state that was kept.

    Raises:
        DataError: the checkpoint belongs to other settings or data.
    """
    with safe_open(path, framework="pt", device=str(trainer.device)) as found:
        said = json.loads((found.metadata() or {}).get("progress", "{}"))
        if said.get("fingerprint") != fingerprint:
            raise DataError(
                f"'{path}' is the checkpoint of other settings or data: it says "
                f"{said.get('fingerprint')}, expected {fingerprint}; delete it or name another file"
            )
        tensors = {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
    _begin_moments(trainer)
    with torch.no_grad():
        for name, own in _named(trainer).items():
            own.copy_(tensors[name])
    best = [tensors[f"best.{place}"] for place in range(len(trainer.weights))]
    highest = tensors["highest"].cpu().numpy()
    return Progress(tuple(said["losses"]), tuple(said["curve"]), said["n_best"], best, highest)


def _begin_moments(trainer: Trainer) -> None:
    """Make the optimiser's own arrays, which it makes itself in its first step."""
    for weight in trainer.weights:
        trainer.optimizer.state[weight] = {
            "step": torch.zeros((), dtype=torch.float32, device=weight.device),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight),
        }


def _named(trainer: Trainer) -> dict[str, Tensor]:
    """Give all that changes in training: weights, the optimiser's moments, the running mean."""
    tensors = {}
    for place, weight in enumerate(trainer.weights):
        tensors[f"weight.{place}"] = weight.detach()
        for name, moment in trainer.optimizer.state[weight].items():
            tensors[f"{name}.{place}"] = moment
    return tensors | {f"mean.{place}": mean for place, mean in enumerate(trainer.mean)}
