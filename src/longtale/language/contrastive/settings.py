"""Settings of contrastive fine-tuning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longtale.language.settings import AdapterSettings, TrainingSettings


class ContrastiveSettings(TrainingSettings):
    """How a language model learns which items go together."""

    objective: Literal["head", "histories", "pairs"] = "head"
    """`histories` tells from the whole catalogue what else a person chose, `head` the same by a
    matrix on top of a model that stays as it is; `pairs` tells an item's partner from the others of
    the batch."""
    n_pairs: int = Field(default=10_000, ge=1)
    """Pairs of items, or texts of `histories`, that are read in one pass."""
    users: int = Field(default=512, ge=1)
    """Of `head` and `histories`: people whose choices are told in a step."""
    events: int = Field(default=20, ge=2)
    """Of `head` and `histories`: how much of each history is told and asked for at most."""
    head_steps: int = Field(default=150, ge=0)
    """Of `head` and `histories`: steps in which a matrix on top of the model learns alone; with
    `histories` both go on together, and 0 adds none."""
    head_learning_rate: float = Field(default=2e-3, gt=0)
    """Of `head` and `histories`: largest step of the optimiser while that matrix learns alone."""
    neighbours: int = Field(default=20, ge=1)
    """Of `pairs`: of how many items that go best with an item one is drawn."""
    user_share: float = Field(default=0.0, ge=0, le=1)
    """Of `pairs`: share whose first text is the titles of a history, and the second what came next;
    the others are two items."""
    history: int = Field(default=5, ge=1)
    """Of `pairs`: titles of a history that are read."""
    temperature: float = Field(default=0.2, gt=0)
    """The smaller, the more the nearest wrong items count; `pairs` usually takes 0.05."""
    log_q: float = Field(default=1.0, ge=0, le=1)
    """Of `pairs`: how far it is made up for that often drawn items are often wrong answers: 1 in
    full."""
    hard_negatives: int = Field(default=0, ge=0)
    """Of `pairs`: wrong items beside each that are near in meaning, though nobody chose both."""
    adapter: AdapterSettings = AdapterSettings(kind="lora")
    """Few new weights that learn in place of the model's own."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Largest step of the optimiser; it falls in a line to nothing."""
    n_evaluations: int = Field(default=8, ge=1)
    """How often the model is evaluated and kept on the way; the best one is the result."""
