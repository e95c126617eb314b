"""The click head that needs no network: boosted trees with calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field

from longtale.arrays import Floats
from longtale.contracts import State
from longtale.rank.boosting import Table, boosted, booster_of
from longtale.rank.calibration import Calibration
from longtale.settings import Settings

if TYPE_CHECKING:
    from lightgbm import Booster


class TreeHeadSettings(Settings):
    """How the trees learn."""

    trees: int = Field(default=600, ge=1, le=5000)
    """At most this many trees; held-out rows decide how many."""
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    """How much of each tree counts."""
    leaves: int = Field(default=15, ge=2, le=1024)
    """Leaves of a tree."""
    min_rows: int = Field(default=100, ge=1)
    """Least number of rows in a leaf."""
    l2: float = Field(default=5.0, ge=0)
    """How strongly the leaves' values are held small."""
    feature_share: float = Field(default=0.6, gt=0, le=1)
    """Share of the features that each tree may use."""
    patience: int = Field(default=50, ge=1)
    """How many trees without gain on held-out rows end the fit."""
    calibration: Literal["none", "platt", "isotonic"] = "platt"
    """How log-odds become probabilities."""
    seed: int = Field(default=0, ge=0)
    """Decides the trees' features."""


@dataclass(frozen=True, eq=False)
class TreeHead:
    """Fitted trees that foretell a click.

    Args:
        settings: what it was fitted with.
        model: LightGBM's text of the trees.
        calibration: from their log-odds to probabilities.
    """

    settings: TreeHeadSettings
    model: str
    calibration: Calibration

    @classmethod
    def fit(cls, learned: Table, held_out: Table, settings: TreeHeadSettings) -> Self:
        """Grow trees by binary cross-entropy, stop by the AUC of held-out rows, calibrate on these.

        Args:
            learned: rows to learn from, labels 0 or 1.
            held_out: rows that say when to stop and how probabilities are calibrated.
            settings: how.
        """
        parameters = {
            "objective": "binary",
            "metric": "auc",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.min_rows,
            "lambda_l2": settings.l2,
            "feature_fraction": settings.feature_share,
            "seed": settings.seed,
        }
        booster = boosted(learned, held_out, parameters, settings.trees, patience=settings.patience)
        raw = np.asarray(booster.predict(held_out.features, raw_score=True))
        calibration = Calibration.fit(raw, held_out.labels, settings.calibration)
        return cls(settings, booster.model_to_string(), calibration)

    def answer(self, features: Floats) -> Floats:
        """Give the probability of a click, float32 (R,)."""
        raw = self._booster.predict(features, raw_score=True, num_threads=1)
        return self.calibration.apply(np.asarray(raw))

    def state(self) -> State:
        model = np.frombuffer(self.model.encode(), dtype=np.uint8)
        return {"model": model, **self.calibration.state()}

    @classmethod
    def restore(cls, settings: TreeHeadSettings, state: State) -> Self:
        calibration = Calibration.restore(settings.calibration, state)
        return cls(settings, state["model"].tobytes().decode(), calibration)

    @cached_property
    def _booster(self) -> Booster:
        return booster_of(self.model)
