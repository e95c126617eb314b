"""What every training of a language model can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longtale.settings import Settings

Tracker = Literal["tensorboard", "wandb", "mlflow"]


class AdapterSettings(Settings):
    """Few new weights that learn in place of the model's own."""

    kind: Literal["none", "lora", "prefix", "prompt", "ia3"] = "none"
    """`lora` adds low-rank matrices, `prefix` states before each layer, `prompt` vectors before the
    text, `ia3` rescales what layers hand on; `none` lets the model's own weights learn."""
    rank: int = Field(default=8, ge=1)
    """Rank of the matrices of LoRA (Hu et al. 2021, arXiv:2106.09685)."""
    alpha: int = Field(default=16, ge=1)
    """What LoRA adds is multiplied by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of values that LoRA leaves out at random in training."""
    targets: tuple[str, ...] = ()
    """Names of the layers that are adapted; empty takes queries and values of attention."""
    n_tokens: int = Field(default=10, ge=1)
    """Length of a prefix or prompt."""


class TrainingSettings(Settings):
    """How a language model is trained."""

    epochs: float = Field(default=1.0, gt=0)
    """Passes over the examples."""
    max_steps: int | None = Field(default=None, ge=1)
    """Steps after which to stop at the latest; None is all passes."""
    batch_size: int = Field(default=64, ge=2)
    """Examples in a step."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """Largest step of the optimiser; it falls in a line to nothing. An adapter bears ten times as
    much as the model's own weights."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or stochastic gradient descent with momentum."""
    weight_decay: float = Field(default=0.01, ge=0)
    """How strongly all weights are held small."""
    warm_up: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps in which the learning rate rises."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of values left out at random in training; None is what the model was made with."""
    train_layers: int | None = Field(default=None, ge=0)
    """How many of the top layers learn: 0 none, so that only what stands on top of them does; None
    is all, the word vectors included."""
    adapter: AdapterSettings = AdapterSettings()
    """Few new weights that learn in place of the model's own."""
    max_tokens: int = Field(default=64, ge=8)
    """Where texts are cut in training."""
    patience: int = Field(default=3, ge=0)
    """Evaluations without a better one after which training stops; 0 never stops early."""
    n_evaluations: int = Field(default=10, ge=1)
    """How often the model is evaluated and kept on the way; the best one is the result."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers of the products; `auto` takes bfloat16 where the GPU or processor computes in it."""
    track: tuple[Tracker, ...] = ()
    """Where losses and metrics are written besides the terminal; each needs its own package."""
    seed: int = Field(default=0, ge=0)
    """Of everything that is left to chance."""
