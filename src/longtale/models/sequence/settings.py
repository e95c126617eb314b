"""The settings of the sequence model, and how those left open follow from the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.settings import Settings

LONG = 40
"""Mean length from which histories count as long: films have some 100 events, goods in shops 8."""


class SequenceSettings(Settings):
    """How the sequence model is built and trained.

    None is chosen from the data: histories with a mean of 40 events or more are long.
    """

    items: Literal["identity", "text", "both"] = "identity"
    """What an item is to the net: a vector of its own learned from events, its projected text, or
    their sum; with text, an item without events has a score too."""
    block: Literal["sasrec", "ligr"] = "sasrec"
    """How a layer adds to what the former gave: plainly (SASRec), or gated (LiGR)."""
    width: int = Field(default=64, ge=4)
    """Width of the vectors of items and states."""
    n_blocks: int | None = Field(default=None, ge=1)
    """Number of layers; None is 1, for long histories 2."""
    n_heads: int | None = Field(default=None, ge=1)
    """Number of attention heads, which divides the width; None is 1, for long histories 2."""
    max_length: int | None = Field(default=None, ge=1)
    """How many of the last events are read; None is what 19 in 20 users have, from 20 to 200."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of values left out at random in training."""
    identity_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of items whose own vector is left out at random, so that their text learns to stand
    alone; only where items are both."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the events over which the learning rate falls to nothing; None is 20, for long
    histories 40."""
    stop_after: int | None = Field(default=None, ge=1)
    """Passes after which to stop on the way, such as those that were best in validation; None is
    all."""
    patience: int = Field(default=5, ge=1)
    """Passes surely worse in validation than an earlier one after which training stops."""
    batch_size: int | None = Field(default=None, ge=1)
    """Sequences in a step; None is 128, for long histories 32."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Largest step of AdamW."""
    weight_decay: float = Field(default=0.0, ge=0)
    """How strongly AdamW holds all weights small."""
    n_negatives: int | None = Field(default=None, ge=1)
    """Items that each step compares with, shared by all its positions; None is 256, for long
    histories 768."""
    from_batch: float = Field(default=0.5, ge=0, le=1)
    """Share of them taken from what the step's own users chose; the others are any items."""
    log_q: bool = True
    """Whether to correct for popular items being drawn more often; without it the tail gains and
    accuracy falls."""
    full_epochs: int = Field(default=0, ge=0)
    """Last passes in which each position is compared with all items."""
    clip: float = Field(default=5.0, gt=0)
    """Largest length of a step's gradient."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """How much of the running mean of the weights stays at each step; the mean answers."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers to train with; auto is bfloat16 from a width of 128 on where the processor has it."""
    seed: int = Field(default=0, ge=0)
    """Decides where training begins and all that is drawn in it."""


@dataclass(frozen=True)
class Plan:
    """What the settings leave open, filled in.

    Args:
        n_blocks: number of layers.
        max_length: how many of the last events are read.
        batch_size: sequences in a step.
        n_negatives: items that each step compares with.
        epochs: passes over the events.
        n_heads: number of attention heads.
    """

    n_blocks: int
    max_length: int
    batch_size: int
    n_negatives: int
    epochs: int
    n_heads: int

    @classmethod
    def of(cls, settings: SequenceSettings, lengths: NDArray[np.int64]) -> Plan:
        """Choose by the lengths of the histories to train on, int (U,).

        Example:
            >>> Plan.of(SequenceSettings(batch_size=16), np.array([5, 9, 30]))
            Plan(n_blocks=1, max_length=27, batch_size=16, n_negatives=256, epochs=20, n_heads=1)
        """
        used = lengths[lengths > 1]
        is_long = len(used) > 0 and float(used.mean()) >= LONG
        usual = int(np.quantile(used, 0.95)) if len(used) else 0
        return cls(
            _given(settings.n_blocks, 2 if is_long else 1),
            _given(settings.max_length, int(np.clip(usual, 20, 200))),
            _given(settings.batch_size, 32 if is_long else 128),
            _given(settings.n_negatives, 768 if is_long else 256),
            _given(settings.epochs, 40 if is_long else 20),
            _given(settings.n_heads, 2 if is_long else 1),
        )


def _given(value: int | None, chosen: int) -> int:
    return chosen if value is None else value
