"""How hard a model is trained against small changes of what it reads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longtale.settings import Settings


class AdversarialSettings(Settings):
    """Training on the worst small change of the word vectors, and on spoilt texts."""

    kind: Literal["none", "fgm", "freelb"] = "none"
    """`fgm` adds the loss after one step against the model, `freelb` averages it over several."""
    epsilon: float = Field(default=0.1, gt=0)
    """Longest change of a text, as a share of the length of its word vectors taken together."""
    n_steps: int = Field(default=2, ge=1)
    """Steps of `freelb` against the model; each costs a pass more."""
    step_size: float = Field(default=0.1, gt=0)
    """Length of a step of `freelb`, as a share like `epsilon`."""
    spoilt: float = Field(default=0.0, ge=0, le=1)
    """Share of the training texts that are spoilt before they are read."""
    seed: int = Field(default=0, ge=0)
    """Of where `freelb` starts."""
