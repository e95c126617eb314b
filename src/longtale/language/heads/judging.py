"""How good answers of heads are, and the one number by which training stops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import rankdata

from longtale.arrays import Floats
from longtale.language.heads.settings import HeadTask

_HOTTEST = 2.0
"""Log of the largest temperature: few rows would else make an answer of nothing, or of all."""


def judged(answers: Sequence[Floats], labels: Floats, tasks: Sequence[HeadTask]) -> float:
    """Give one number for all tasks, higher is better.

    It is the mean, by the tasks' weights, of the AUC of clicks, the share of right classes of
    conversions, and minus the root of the mean squared error of ratings, in their deviations.

    Args:
        answers: of each task, (R,) or (R, C).
        labels: float32 (R, T), NaN where not known.
        tasks: T tasks.
    """
    found = []
    for column, (task, own) in enumerate(zip(tasks, answers, strict=True)):
        is_known = ~np.isnan(labels[:, column])
        found.append(_quality(own[is_known], labels[is_known, column], task))
    return float(np.average(found, weights=[task.weight for task in tasks]))


def auc(scores: Floats, labels: NDArray[np.number]) -> float:
    """Give the probability that what happened has a higher score than what did not.

    Ties count half; .5 where all happened, or nothing.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]))
        0.875
    """
    is_yes = labels > 0
    n_yes, n_no = int(is_yes.sum()), int((~is_yes).sum())
    if not n_yes or not n_no:
        return 0.5
    return float((rankdata(scores)[is_yes].sum() - n_yes * (n_yes + 1) / 2) / (n_yes * n_no))


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


def _quality(answers: Floats, labels: Floats, task: HeadTask) -> float:
    if task.kind == "click":
        return auc(answers, labels)
    if task.kind == "conversion":
        return float((answers.argmax(axis=1) == labels).mean())
    deviation = float(labels.std())
    error = float(np.sqrt(np.square(answers - labels).mean()))
    return -error / (deviation if deviation > 0 else 1.0)
