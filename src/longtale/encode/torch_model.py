"""A language model in torch with its pooling on top; importing this module needs torch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

from longtale.encode.engines import Pooled
from longtale.encode.model_card import ModelCard, Pooling
from longtale.encode.tokens import TokenBatch
from longtale.errors import EncoderError

_ACTIVATIONS: dict[str, type[nn.Module]] = {"Identity": nn.Identity, "Tanh": nn.Tanh}


class PooledModel(nn.Module):  # type: ignore[misc, unused-ignore]
    """Tokens in, one vector per text out.

    Args:
        model: of transformers.
        pooling: how one vector is made of its states.
        dense: what that vector goes through.
    """

    def __init__(self, model: nn.Module, pooling: Pooling, dense: nn.Module | None = None) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.dense = nn.Identity() if dense is None else dense

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Pool the last layer's token states, and send what comes out through the matrices.

        Args:
            input_ids: int64 (B, T).
            attention_mask: int64 (B, T), padding at the end.

        Returns:
            float32 (B, D).
        """
        found = self.model(input_ids=input_ids, attention_mask=attention_mask)
        pooled: Tensor = self.dense(self._pooled(found.last_hidden_state, attention_mask))
        return pooled

    def _pooled(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        states = states.to(torch.float32)  # (B, T, D)
        if self.pooling == "cls":
            return states[:, 0]
        if self.pooling == "last":
            last = attention_mask.sum(dim=1) - 1
            return states[torch.arange(states.shape[0], device=states.device), last]
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


class TorchEngine:
    """Plain torch, on the GPU where there is one."""

    def __init__(self, card: ModelCard, *, bf16: bool) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = load_pooled(card).to(self._device)
        if bf16:
            model.model.to(torch.bfloat16)
        self._model = model

    def run(self, batches: Iterable[TokenBatch]) -> Iterator[Pooled]:
        for batch in batches:
            ids = torch.from_numpy(batch.ids).to(self._device)
            mask = torch.from_numpy(batch.mask).to(self._device)
            with torch.inference_mode():
                pooled = self._model(ids, mask)
            yield batch.rows, pooled.float().cpu().numpy()


def load_pooled(card: ModelCard, *, attention: str = "sdpa") -> PooledModel:
    """Load a model in full precision for answering.

    Raises:
        EncoderError: transformers cannot load it.
    """
    try:
        with _no_progress_bar():
            model = AutoModel.from_pretrained(
                str(card.folder),
                attn_implementation=attention,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(
            f"the language model in '{card.folder}' cannot be loaded: "
            f"{str(error).partition(chr(10))[0]}; "
            "check that the folder is whole, or get it again"
        ) from error
    return PooledModel(model, card.pooling, load_dense(card)).eval()


def load_dense(card: ModelCard) -> nn.Module:
    """Load what the pooled vector goes through: nothing, or one matrix after the other.

    Raises:
        EncoderError: a part is missing, or asks for what is not supported.
    """
    steps: list[nn.Module] = []
    for folder in card.dense:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "model.safetensors")
            matrix = nn.Linear(config["in_features"], config["out_features"], config["bias"])
            matrix.load_state_dict({k.removeprefix("linear."): v for k, v in weights.items()})
            activation = _ACTIVATIONS[config["activation_function"].rpartition(".")[2]]
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise EncoderError(
                f"the matrix in '{folder}' cannot be loaded: {type(error).__name__} {error}; "
                f"supported are safetensors, and as activation {', '.join(_ACTIVATIONS)}"
            ) from None
        steps += [matrix, activation()]
    return nn.Sequential(*steps)


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
