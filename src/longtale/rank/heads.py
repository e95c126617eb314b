"""Heads: from features of a user with an item to a click, a conversion and a rating.

One small network with an answer for each task. Experts read the features, each task has a gate that
weighs the experts, and a tower of its own:

    h_e = relu(x W_e + b_e),   g_t = softmax(x G_t),   m_t = Σ_e g_te · h_e,
    o_t = relu(m_t V_t + c_t) v_t + d_t

This is MMoE (Ma et al. 2018, KDD, "Modeling Task Relationships in Multi-task Learning with
Multi-gate Mixture-of-Experts"); with one expert it is the shared bottom (Caruana 1997), and with
one task and one expert a plain perceptron of two layers. A click costs binary cross-entropy, a
conversion (one of C classes) softmax cross-entropy, a rating squared error in deviations. Features
are standardised, then squeezed by x / (1 + |x| / 10), and what is unknown is the mean, with a mark
that says so. Answers need numpy only; training needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from longtale.arrays import Floats
from longtale.contracts import State
from longtale.errors import DataError, MissingExtraError
from longtale.rank.calibration import Calibration, Method
from longtale.rank.tasks import HeadsSettings, Labelled, TaskSettings, prepared


@dataclass(frozen=True, eq=False)
class Heads:
    """A fitted network.

    Args:
        settings: what it was fitted with.
        weights: the network's arrays by name, and `mean`, `scale` of features and ratings.
        calibrations: by the name of each task that gives probabilities.
    """

    settings: HeadsSettings
    weights: Mapping[str, Floats]
    calibrations: Mapping[str, Calibration]

    @classmethod
    def fit(cls, learned: Labelled, held_out: Labelled, settings: HeadsSettings) -> Self:
        """Train, stop by held-out rows, and calibrate on these.

        Args:
            learned: rows to learn from.
            held_out: rows that say when to stop and how probabilities are calibrated.
            settings: the tasks, and how.

        Raises:
            DataError: a task has no labels.
            MissingExtraError: torch is not installed.
        """
        for rows in (learned, held_out):
            _check(rows, settings)
        try:
            from longtale.rank.heads_training import trained
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                str(error.name), extra="text", purpose="training heads"
            ) from None
        weights = trained(learned, held_out, settings)
        raw = outputs(weights, prepared(held_out.features, weights), settings)
        calibrations = {}
        for task in settings.tasks:
            if task.kind != "rating":
                labels = held_out.labels[task.name]
                known = ~np.isnan(labels)
                own = raw[task.name][known]
                calibrations[task.name] = Calibration.fit(own, labels[known], _method(task))
        return cls(settings, weights, calibrations)

    def answer(self, features: Floats) -> Mapping[str, Floats]:
        """Give for each task float32 (R,), or (R, C) for a conversion.

        Args:
            features: float32 (R, F), NaN where unknown.
        """
        raw = outputs(self.weights, prepared(features, self.weights), self.settings)
        return {
            name: self.calibrations[name].apply(values) if name in self.calibrations else values
            for name, values in raw.items()
        }

    def state(self) -> State:
        parts = dict[str, NDArray[np.generic]]()
        parts |= {f"weights.{name}": array for name, array in self.weights.items()}
        for task, calibration in self.calibrations.items():
            for name, array in calibration.state().items():
                parts[f"calibration.{task}.{name}"] = array
        return parts

    @classmethod
    def restore(cls, settings: HeadsSettings, state: State) -> Self:
        weights = {
            name.removeprefix("weights."): np.asarray(array, dtype=np.float32)
            for name, array in state.items()
            if name.startswith("weights.")
        }
        calibrations = {}
        for task in settings.tasks:
            start = f"calibration.{task.name}."
            own = {n.removeprefix(start): a for n, a in state.items() if n.startswith(start)}
            if own:
                calibrations[task.name] = Calibration.restore(_method(task), own)
        return cls(settings, weights, calibrations)


def outputs(weights: Mapping[str, Floats], x: Floats, settings: HeadsSettings) -> dict[str, Floats]:
    """Give raw answers: log-odds (R,), scores of classes (R, C), ratings (R,).

    Args:
        weights: the network's arrays.
        x: float32 (R, 2 F), as `prepared` gives it.
        settings: the tasks.
    """
    experts = np.einsum("rf,efh->reh", x, weights["expert"], optimize=True) + weights["expert_bias"]
    experts = np.maximum(experts, 0)  # (R, E, H)
    found = {}
    for task in settings.tasks:
        gates = softmax(x @ weights[f"gate.{task.name}"], axis=1)  # (R, E)
        mixed = np.einsum("re,reh->rh", gates, experts)
        tower = mixed @ weights[f"tower.{task.name}"] + weights[f"tower_bias.{task.name}"]
        out = np.maximum(tower, 0) @ weights[f"out.{task.name}"]
        out = (out + weights[f"out_bias.{task.name}"]).astype(np.float32)
        if task.kind == "rating":
            out = out * weights["rating_scale"] + weights["rating_mean"]
        found[task.name] = out if task.kind == "conversion" else out[:, 0]
    return found


def _method(task: TaskSettings) -> Method:
    return "temperature" if task.kind == "conversion" else task.calibration


def _check(rows: Labelled, settings: HeadsSettings) -> None:
    for task in settings.tasks:
        labels = rows.labels.get(task.name)
        known = np.empty(0) if labels is None else np.asarray(labels)[~np.isnan(labels)]
        if not len(known):
            raise DataError(
                f"task '{task.name}' has no labels; there are labels of {sorted(rows.labels)}"
            )
        n_classes = {"click": 2, "conversion": task.classes, "rating": None}[task.kind]
        if n_classes is not None and not np.isin(known, np.arange(n_classes)).all():
            raise DataError(
                f"labels of task '{task.name}' reach from {known.min():g} to {known.max():g}; a "
                f"{task.kind} needs whole numbers from 0 to {n_classes - 1}"
            )
