"""Settings of pre-training."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from longtale.language.settings import TrainingSettings
from longtale.settings import Settings


class Objective(StrEnum):
    """What a model learns to do where nobody has labelled anything."""

    MASKED_WORDS = "masked_words"
    NEXT_SENTENCE = "next_sentence"
    DENOISING = "denoising"
    CONTRASTIVE = "contrastive"


class ScratchSettings(Settings):
    """A model of its own, made for the catalogue's words."""

    width: int = Field(default=128, ge=32, multiple_of=32)
    """Length of its vectors; each head of attention sees 32 numbers of them."""
    layers: int = Field(default=2, ge=1)
    """How many layers it has."""
    n_words: int = Field(default=8000, ge=100)
    """Largest number of words and pieces of words that it knows."""


class PretrainSettings(TrainingSettings):
    """How a language model learns from texts alone."""

    objectives: tuple[Objective, ...] = Field(default=(Objective.MASKED_WORDS,), min_length=1)
    """What it learns to do, all in turn, each as often as it has examples: `masked_words` tells
    words that were hidden, `next_sentence` tells whether two texts belong together, `denoising`
    writes a text from the vector of what is left of it, `contrastive` knows a text again."""
    masked_share: float = Field(default=0.15, gt=0, le=0.5)
    """Share of the words that `masked_words` asks for."""
    whole_words: bool = True
    """Hide all pieces of a word together."""
    dropped_share: float = Field(default=0.6, gt=0, lt=1)
    """Share of the words that `denoising` takes away."""
    temperature: float = Field(default=0.05, gt=0)
    """Of `contrastive`: the smaller, the more the nearest other texts count."""
    held_out: float = Field(default=0.05, gt=0, le=0.5)
    """Share of the texts and pairs that teach nothing and tell when to stop; 1,000 at most."""
    from_scratch: bool = False
    """Begin with a new tiny model and its own words, whatever model is named."""
    scratch: ScratchSettings = ScratchSettings()
    """How large a model from scratch is."""
    new_learning_rate: float = Field(default=5e-4, gt=0)
    """Largest step of weights that are new: heads, and everything of a model from scratch."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("name each objective once")
        return self
