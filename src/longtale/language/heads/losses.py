"""What wrong answers of heads cost, all tasks in one module; needs torch.

    L = Σ_t λ_t · Σ_r w_t(y_r) ℓ_t(o_r, y_r) / Σ_r w_t(y_r)

over the rows r whose label is known. ℓ is binary cross-entropy for a click, softmax cross-entropy
for a conversion, and the square of the error in standard deviations for a rating. A class c of C
that has the share π_c of the labels counts w(c) = (1 / (C π_c))^β, so that rare ones are heard: β
is the setting `balance`. What then learns p' ∝ w p is brought back by taking log w off the logits
(Elkan 2001, "The foundations of cost-sensitive learning"; Menon et al. 2021, arXiv:2007.07314):
answers are probabilities of the data as they are, not of balanced ones.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from longtale.arrays import Floats
from longtale.language.heads.settings import HeadSettings, HeadTask


class TaskLosses(nn.Module):
    """The loss of all tasks, and what makes answers of outputs.

    Args:
        settings: the tasks.
        labels: float32 (R, T), what is learned from; None where `load_state_dict` follows.
    """

    log_temperature: Tensor

    def __init__(self, settings: HeadSettings, labels: Floats | None = None) -> None:
        super().__init__()
        self.tasks = settings.tasks
        for column, task in enumerate(self.tasks):
            known = np.zeros(1, dtype=np.float32) if labels is None else labels[:, column]
            known = known[~np.isnan(known)]
            own = _spread(known) if task.kind == "rating" else log_weights(known, task)
            self.register_buffer(f"scale_{column}", torch.from_numpy(own))
        self.register_buffer("log_temperature", torch.zeros(len(self.tasks)))

    def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Give the loss of R rows.

        Args:
            outputs: (R, W), those of all tasks beside each other.
            labels: (R, T), NaN where not known.
        """
        total = outputs.sum() * 0  # a batch may know nothing at all
        for column, (task, own) in enumerate(zip(self.tasks, self._parts(outputs), strict=True)):
            is_known = ~torch.isnan(labels[:, column])
            if is_known.any():
                scale = getattr(self, f"scale_{column}")
                cost = _cost(own[is_known], labels[is_known, column], task, scale)
                total = total + task.weight * cost
        return total

    def logits(self, outputs: Tensor) -> list[Tensor]:
        """Give each task's log-odds (R,), logits (R, C) or rating (R,), of the data as they are."""
        found = []
        for column, (task, own) in enumerate(zip(self.tasks, self._parts(outputs), strict=True)):
            scale = getattr(self, f"scale_{column}")
            if task.kind == "rating":
                found.append(own[:, 0] * scale[1] + scale[0])
            elif task.kind == "click":
                found.append(own[:, 0] - (scale[1] - scale[0]))
            else:
                found.append(own - scale)
        return found

    def answers(self, outputs: Tensor) -> list[Tensor]:
        """Give each task's probability (R,), probabilities (R, C) or rating (R,)."""
        found = []
        for column, (task, own) in enumerate(zip(self.tasks, self.logits(outputs), strict=True)):
            cooled = own / self.log_temperature[column].exp()
            if task.kind == "rating":
                found.append(own)
            elif task.kind == "click":
                found.append(torch.sigmoid(cooled))
            else:
                found.append(torch.softmax(cooled, dim=1))
        return found

    def _parts(self, outputs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(outputs, [task.n_outputs for task in self.tasks], dim=1)


def log_weights(labels: Floats, task: HeadTask) -> Floats:
    """Give the log of what each class counts, float32 (C,).

    Args:
        labels: numbers of classes, all known; a class without any counts as if it had one.
        task: says how many classes there are, and how far they are balanced.
    """
    n_classes = 2 if task.kind == "click" else task.classes
    counts = np.maximum(np.bincount(labels.astype(np.int64), minlength=n_classes), 1)
    shares = counts / counts.sum()
    return (-task.balance * np.log(n_classes * shares)).astype(np.float32)


def _spread(ratings: Floats) -> Floats:
    """Give mean and deviation; 1 where all are the same."""
    deviation = float(ratings.std())
    return np.array([ratings.mean(), deviation if deviation > 0 else 1.0], dtype=np.float32)


def _cost(outputs: Tensor, labels: Tensor, task: HeadTask, scale: Tensor) -> Tensor:
    if task.kind == "rating":
        return functional.mse_loss(outputs[:, 0], (labels - scale[0]) / scale[1])
    weights = scale.exp()[labels.long()]
    if task.kind == "click":
        costs = functional.binary_cross_entropy_with_logits(outputs[:, 0], labels, reduction="none")
    else:
        costs = functional.cross_entropy(outputs, labels.long(), reduction="none")
    return (weights * costs).sum() / weights.sum()
