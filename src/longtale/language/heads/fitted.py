"""Heads that have learned: answers for pairs of texts, and the folder they live in; needs torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

from longtale.arrays import Floats
from longtale.errors import DataError, EncoderError
from longtale.language.adapters import put_prefix, take_prefix
from longtale.language.heads.examples import Lessons
from longtale.language.heads.losses import TaskLosses
from longtale.language.heads.network import Head, encoded
from longtale.language.heads.settings import HeadSettings
from longtale.language.model import open_model, save_model

ENCODER = "encoder"
"""Folder of the language model within that of the heads; `encode.model` can name it."""
_PREFIX = "prefix"
_SETTINGS = "heads.json"
_WEIGHTS = "heads.safetensors"


class FittedHeads:
    """A language model and its heads.

    Args:
        encoder: the language model.
        head: what answers.
        losses: what makes answers of outputs.
        settings: what they were fitted with.
    """

    def __init__(
        self,
        encoder: SentenceTransformer,
        head: Head,
        losses: TaskLosses,
        settings: HeadSettings,
    ) -> None:
        self.encoder, self.head, self.losses, self.settings = encoder, head, losses, settings

    def predict(
        self,
        user_texts: Sequence[str],
        item_texts: Sequence[str],
        features: Floats | None = None,
    ) -> Mapping[str, Floats]:
        """Give each task's probability of a click (R,) or of classes (R, C), or its rating (R,).

        Args:
            user_texts: R texts of users; each different one is encoded once.
            item_texts: R texts of items.
            features: float32 (R, F), NaN where unknown; None where the heads learned from none.

        Raises:
            DataError: there are not as many texts of users as of items, or other features than the
                heads learned from.
        """
        n_features = len(self.head.feature_mean)
        if features is None:
            features = np.empty((len(user_texts), 0), dtype=np.float32)
        if features.shape[1] != n_features:
            raise DataError(
                f"the heads learned from {n_features} features and were given {features.shape[1]}; "
                "give the same numbers in the same order"
            )
        return self.answers(Lessons.told(user_texts, item_texts, features, self.settings))

    def answers(self, lessons: Lessons) -> Mapping[str, Floats]:
        """Give the answers for examples that were taken apart."""
        with torch.inference_mode():
            found = self.losses.answers(self.outputs(lessons))
        names = [task.name for task in self.settings.tasks]
        return {name: own.cpu().numpy() for name, own in zip(names, found, strict=True)}

    def outputs(self, lessons: Lessons) -> Tensor:
        """Give the network's outputs as they come, (R, W)."""
        device = self.head.feature_mean.device
        if not len(lessons):
            n_outputs = sum(task.n_outputs for task in self.settings.tasks)
            return torch.empty((0, n_outputs), device=device)
        vectors = encoded(self.encoder, lessons.texts, self.settings.batch_size).to(device)
        was_training = self.head.training
        self.head.eval()
        outputs: Tensor = self.head(
            vectors[torch.from_numpy(lessons.first)],
            vectors[torch.from_numpy(lessons.second)],
            torch.from_numpy(lessons.features).to(device),
        )
        self.head.train(was_training)
        return outputs

    def save(self, folder: Path) -> None:
        """Write all that is needed to answer; no code is kept in it."""
        folder.mkdir(parents=True, exist_ok=True)
        is_prefixed = self.settings.adapter.kind == "prefix"
        if is_prefixed:
            take_prefix(self.encoder, folder / _PREFIX)
        save_model(self.encoder, folder / ENCODER)
        if is_prefixed:
            put_prefix(self.encoder, folder / _PREFIX)
        parts = {"head": self.head, "losses": self.losses}
        tensors = {
            f"{part}.{name}": array.detach().cpu().contiguous()
            for part, module in parts.items()
            for name, array in module.state_dict().items()
        }
        save_file(tensors, folder / _WEIGHTS)
        text = json.dumps(self.settings.model_dump(mode="json"), indent=2)
        (folder / _SETTINGS).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            EncoderError: the folder holds no heads, or their language model cannot be loaded.
        """
        for name in (_SETTINGS, _WEIGHTS):
            if not (folder / name).is_file():
                raise EncoderError(
                    f"there are no heads in '{folder}': {name} is missing; name a folder that "
                    "fit_heads wrote"
                )
        values = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        settings = HeadSettings.parse(values, where=str(folder / _SETTINGS))
        encoder = open_model(folder / ENCODER, max_tokens=settings.max_tokens)
        if (folder / _PREFIX).is_dir():
            put_prefix(encoder, folder / _PREFIX)
        tensors = load_file(folder / _WEIGHTS)
        n_features = len(tensors["head.feature_mean"])
        head = Head(_width(encoder), settings, np.zeros((1, n_features), dtype=np.float32))
        losses = TaskLosses(settings)
        for part, module in (("head.", head), ("losses.", losses)):
            own = {n.removeprefix(part): t for n, t in tensors.items() if n.startswith(part)}
            module.load_state_dict(own)
        device = encoder.device
        return cls(encoder, head.to(device).eval(), losses.to(device), settings)


def _width(encoder: SentenceTransformer) -> int:
    return int(encoder.get_embedding_dimension())
