"""Settings of heads on top of a language model."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from longtale.language.settings import TrainingSettings
from longtale.settings import Settings


class HeadTask(Settings):
    """One thing that is foretold."""

    name: str = "click"
    """What it is called."""
    kind: Literal["click", "conversion", "rating"] = "click"
    """Click: whether it happens; conversion: which of several classes; rating: a number."""
    classes: int = Field(default=3, ge=2)
    """Conversion: how many classes there are, numbered from 0."""
    weight: float = Field(default=1.0, gt=0)
    """How much this task counts beside the others."""
    balance: float = Field(default=0.5, ge=0, le=1)
    """How far rare classes are made up for in learning: 0 not at all, 1 until all count the same.
    Answers stay probabilities of the data as they are."""

    @property
    def n_outputs(self) -> int:
        """How many numbers the network gives for it."""
        return self.classes if self.kind == "conversion" else 1


class HeadSettings(TrainingSettings):
    """How heads are built and learn, and how far the language model learns with them."""

    tasks: tuple[HeadTask, ...] = Field(default=(HeadTask(),), min_length=1)
    """What is foretold."""
    reads: Literal["towers", "pair"] = "towers"
    """`towers` encodes both texts on their own, so that vectors can be kept; `pair` reads both in
    one pass, with a separator between them."""
    hidden: int = Field(default=64, ge=1)
    """Width of the layer that the tasks share."""
    head_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of the head's inputs and of its layer that each step leaves out."""
    head_learning_rate: float = Field(default=1e-4, gt=0)
    """Largest step of the head's own weights, which are new; `learning_rate` is the model's."""
    head_first: bool = True
    """Where the language model learns too: the head first learns from its vectors as they are. A
    head that knows nothing yet would spoil them (Kumar et al. 2022, arXiv:2202.10054)."""
    head_epochs: float = Field(default=10.0, gt=0)
    """Passes in which the head learns first."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the examples that say when to stop, where no others are handed in."""
    train_layers: int | None = Field(default=0, ge=0)
    """How many of the top layers learn: 0 none, so that texts are encoded once; None is all."""
    epochs: float = Field(default=10.0, gt=0)
    """Passes over the examples."""
    patience: int = Field(default=5, ge=0)
    """Evaluations without a better one after which training stops; 0 never stops early."""
    n_evaluations: int = Field(default=20, ge=1)
    """How often the heads are evaluated and kept on the way; the best are the result."""

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of the language model learns."""
        return self.train_layers == 0 and self.adapter.kind == "none"

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"tasks need names of their own; these are {names}")
        return self
