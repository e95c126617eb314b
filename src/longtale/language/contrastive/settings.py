"""Settings of contrastive fine-tuning."""

from __future__ import annotations

from pydantic import Field

from longtale.language.settings import AdapterSettings, TrainingSettings


class ContrastiveSettings(TrainingSettings):
    """How a language model learns which items go together."""

    n_pairs: int = Field(default=40_000, ge=1)
    """Pairs of items that are drawn for one pass."""
    neighbours: int = Field(default=20, ge=1)
    """Of how many items that go best with an item one is drawn."""
    user_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the pairs whose first text is the titles of a history, and the second what came
    next; the others are two items."""
    history: int = Field(default=5, ge=1)
    """Titles of a history that are read."""
    temperature: float = Field(default=0.05, gt=0)
    """The smaller, the more the nearest wrong items count."""
    log_q: float = Field(default=1.0, ge=0, le=1)
    """How far it is made up for that often drawn items are often wrong answers: 1 in full."""
    hard_negatives: int = Field(default=0, ge=0)
    """Wrong items beside each pair that are near in meaning, though nobody chose both."""
    adapter: AdapterSettings = AdapterSettings(kind="lora")
    """Few new weights that learn in place of the model's own."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Largest step of the optimiser; it falls in a line to nothing."""
    n_evaluations: int = Field(default=8, ge=1)
    """How often the model is evaluated and kept on the way; the best one is the result."""
