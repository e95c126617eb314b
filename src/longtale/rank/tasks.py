"""What heads foretell, how their network is built, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from longtale.arrays import Floats
from longtale.errors import DataError
from longtale.settings import Settings


class TaskSettings(Settings):
    """One thing that is foretold."""

    name: str = "click"
    """What it is called."""
    kind: Literal["click", "conversion", "rating"] = "click"
    """Click: whether it happens; conversion: which of several classes; rating: a number."""
    classes: int = Field(default=3, ge=2)
    """Conversion: how many classes there are, numbered from 0."""
    weight: float = Field(default=1.0, gt=0)
    """How much this task counts in what the network learns."""
    calibration: Literal["none", "platt", "isotonic"] = "platt"
    """Click: how log-odds become probabilities. A conversion takes one temperature."""


class HeadsSettings(Settings):
    """How the network is built and learns."""

    tasks: tuple[TaskSettings, ...] = Field(default=(TaskSettings(),), min_length=1)
    """What is foretold."""
    experts: int = Field(default=1, ge=1, le=64)
    """Experts that the tasks share; one is the shared bottom."""
    hidden: int = Field(default=64, ge=1)
    """Width of each expert."""
    tower: int = Field(default=32, ge=1)
    """Width of each task's own layer."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the experts' outputs that each step leaves out."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Step of AdamW."""
    decay: float = Field(default=1e-2, ge=0)
    """How strongly the weights are held small."""
    batch: int = Field(default=256, ge=1)
    """Rows of a step."""
    epochs: int = Field(default=40, ge=1)
    """At most this many passes over the rows."""
    patience: int = Field(default=5, ge=1)
    """How many passes without gain on held-out rows end the training."""
    seed: int = Field(default=0, ge=0)
    """Decides where the weights begin, the order of the rows and what is left out."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"tasks need names of their own; these are {names}")
        return self


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows of features with what happened.

    Args:
        features: float32 (R, F), NaN where unknown.
        labels: by task, float (R,): 0 or 1, the number of a class, or a rating; NaN where it is
            not known what happened.
    """

    features: Floats
    labels: Mapping[str, Floats]


def prepared(features: Floats, weights: Mapping[str, Floats]) -> Floats:
    """Standardise and squeeze features, and mark the unknown ones, float32 (R, 2 F).

    Raises:
        DataError: there are not as many features as the network has learned from.
    """
    if features.shape[1] != len(weights["mean"]):
        raise DataError(
            f"the heads learned from {len(weights['mean'])} features and were given "
            f"{features.shape[1]}; give the same columns in the same order"
        )
    unknown = np.isnan(features)
    x = (features - weights["mean"]) / weights["scale"]
    x = np.where(unknown, np.float32(0), x / (1 + np.abs(x) / 10))
    return np.concatenate([x, unknown.astype(np.float32)], axis=1)
