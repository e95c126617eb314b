"""How good answers of heads are, and the one number by which training stops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import entropy

from longtale.arrays import Floats
from longtale.language.heads.settings import HeadTask

_TINY = 1e-7
"""Likelier than that is what a head says cannot be."""
_HOTTEST = 2.0
"""Log of the largest temperature: few rows would else make an answer of nothing, or of all."""


def judged(answers: Sequence[Floats], labels: Floats, tasks: Sequence[HeadTask]) -> float:
    """Give one number for all tasks, higher is better: how much of what happened they explain.

    It is the mean, by the tasks' weights, of 1 - L / L_0: L is the log loss of clicks and
    conversions or the mean squared error of ratings, and L_0 that of the best constant (McFadden
    1974, and the coefficient of determination). So 0 is a constant, and tasks have one unit.

    Args:
        answers: of each task, (R,) or (R, C).
        labels: float32 (R, T), NaN where not known.
        tasks: T tasks.
    """
    found = []
    for column, (task, own) in enumerate(zip(tasks, answers, strict=True)):
        is_known = ~np.isnan(labels[:, column])
        found.append(_explained(own[is_known], labels[is_known, column], task))
    return float(np.average(found, weights=[task.weight for task in tasks]))


def log_temperature(logits: Floats, labels: Floats) -> float:
    """Give log T with which logits / T fit best what happened (Guo et al. 2017, arXiv:1706.04599).

    Args:
        logits: log-odds (R,), or of C classes (R, C), of rows that nothing was learned from.
        labels: (R,), 0 or 1, or numbers of classes.
    """
    wide = logits.astype(np.float64)
    if wide.ndim == 1:
        wide = np.column_stack([np.zeros_like(wide), wide])
    rows, classes = np.arange(len(wide)), labels.astype(np.int64)

    def loss(value: float) -> float:
        return -float(log_softmax(wide / np.exp(value), axis=1)[rows, classes].mean())

    return float(minimize_scalar(loss, bounds=(-_HOTTEST, _HOTTEST), method="bounded").x)


def _explained(answers: Floats, labels: Floats, task: HeadTask) -> float:
    if task.kind == "rating":
        loss, least = float(np.square(answers - labels).mean()), float(labels.var())
    else:
        table = np.column_stack([1 - answers, answers]) if task.kind == "click" else answers
        classes = labels.astype(np.int64)
        right = table[np.arange(len(table)), classes].astype(np.float64)
        shares = np.bincount(classes) / len(classes)
        loss = -float(np.log(np.maximum(right, _TINY)).mean())
        least = float(entropy(shares))
    return 1 - loss / least if least > 0 else -loss
