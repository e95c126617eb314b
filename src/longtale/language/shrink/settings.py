"""How an encoder is made smaller."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longtale.language.settings import TrainingSettings
from longtale.settings import Settings

Student = Literal["layers", "whole", "fresh", "static"]


class DistilSettings(TrainingSettings):
    """How a small encoder learns to say what a large one says."""

    student: Student = "layers"
    """`layers` begins as some of the teacher's layers, `whole` as all of it, to be hardened
    (`spoilt`), `fresh` as a new model with the teacher's words, `static` is a vector for each word
    and no layer at all: it is found by least squares, and trains on only where there are very many
    texts or lengths to do with (`matryoshka`)."""
    layers: tuple[int, ...] = ()
    """Which of the teacher's layers the student begins with, the lowest is 0; empty takes the
    `n_layers` that together stay nearest to the teacher."""
    n_layers: int = Field(default=1, ge=1)
    """How many layers the student has."""
    width: int | None = Field(default=None, ge=8)
    """Width of the vectors of a fresh or static student; None is the teacher's."""
    n_heads: int = Field(default=4, ge=1)
    """Heads of attention in each layer of a fresh student; they divide its width."""
    pieces: int = Field(default=0, ge=0)
    """How many pieces of each text, of random place and length, are learned from besides the whole:
    what people type is shorter than what describes an item."""
    spoilt: int = Field(default=0, ge=0)
    """How many copies of each text, spoilt by typing errors, cuts, other wordings or foreign titles
    put in, are learned from besides the whole. The teacher reads the whole one: the student learns
    to say the same of all."""
    even_weight: float = Field(default=1.0, ge=0)
    """Weight of being like the teacher when all directions are made to count more alike, as the
    whitening of item vectors does."""
    similarity_weight: float = Field(default=0.0, ge=0)
    """Weight of finding the same similarities between the texts of a batch as the teacher."""
    matryoshka: tuple[int, ...] = ()
    """Lengths at which the leading numbers of a vector have to do alone, so that vectors can be cut
    (`encode.dim`)."""
    smoothing: float = Field(default=1e-3, gt=0)
    """Share of all words from which on a frequent word counts for less at the start of a static
    student."""
    batch_size: int = Field(default=32, ge=2)
    """Examples in a step."""
    epochs: float = Field(default=10.0, gt=0)
    """Passes over the examples."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Largest step of the optimiser; it falls in a line to nothing."""
    dropout: float | None = Field(default=0.0, ge=0, lt=1)
    """Share of values left out at random in training; None is what the model was made with."""
    max_tokens: int = Field(default=256, ge=8)
    """Where texts are cut, for teacher and student."""


class CompressSettings(Settings):
    """Which smaller variants of an encoder are made without training, and measured."""

    layers: tuple[int, ...] = (4, 3)
    """Numbers of layers that are kept; which ones is chosen by likeness."""
    heads: tuple[float, ...] = (0.5,)
    """Shares of the heads of attention that are left out, the least important ones."""
    importance: Literal["gradient", "ablation"] = "gradient"
    """How important a head is: how far the vectors would move without it, told by their gradient,
    or by leaving it out."""
    int8: bool = True
    """Whether a variant with weights of 8 bits is made."""
    n_sample: int = Field(default=64, ge=2)
    """Texts by which layers and heads are chosen."""
    n_measured: int = Field(default=256, ge=2)
    """Texts by which speed and likeness are measured; none of them chose."""
    n_rounds: int = Field(default=3, ge=1)
    """How often the speed of each variant is measured, in turns with the whole model."""
    max_tokens: int = Field(default=128, ge=8)
    """Where texts are cut to choose layers and heads."""
    seed: int = Field(default=0, ge=0)
    """Of everything that is left to chance."""

    @property
    def n_variants(self) -> int:
        """How many variants are made."""
        return self.int8 + len(self.layers) + len(self.heads)
