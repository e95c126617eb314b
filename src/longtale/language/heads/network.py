"""From the vectors of two texts to outputs, and from texts to their vectors; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from longtale.arrays import Floats
from longtale.language.heads.examples import Text
from longtale.language.heads.losses import TaskLosses
from longtale.language.heads.settings import HeadSettings


class Head(nn.Module):
    """A linear rule of the features, and a perceptron over what two vectors say together.

        x = [u, v, |u - v|, u * v, f],    o_t = A_t f + c_t + V_t relu(W x + b)

    (features of two texts after Conneau et al. 2017, arXiv:1705.02364; the hidden layer that all
    tasks share is Caruana 1997; wide beside deep Cheng et al. 2016, arXiv:1606.07792). V begins at
    0, and A where `begin` sets it: the words add to what the features tell, however few the labels.
    Vectors are brought to entries of about one first, features are standardised, and one that is
    unknown is the mean. A pair that was read in one pass is one vector: x = [u, f].

    Args:
        width: D, of the texts' vectors.
        settings: the tasks, and how large.
        features: float32 (R, F), what is learned from.
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, width: int, settings: HeadSettings, features: Floats) -> None:
        super().__init__()
        n_features = features.shape[1]
        n_inputs = width * (1 if settings.reads == "pair" else 4) + n_features
        n_outputs = sum(task.n_outputs for task in settings.tasks)
        self._is_pair = settings.reads == "pair"
        last = nn.Linear(settings.hidden, n_outputs, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            nn.Dropout(settings.head_dropout),
            nn.Linear(n_inputs, settings.hidden),
            nn.ReLU(),
            nn.Dropout(settings.head_dropout),
            last,
        )
        self.slopes = nn.Parameter(torch.zeros(n_outputs, n_features))
        self.offsets = nn.Parameter(torch.zeros(n_outputs))
        mean, deviation = _moments(features)
        self.register_buffer("feature_mean", torch.from_numpy(mean))
        self.register_buffer("feature_scale", torch.from_numpy(deviation))

    def forward(self, first: Tensor, second: Tensor, features: Tensor) -> Tensor:
        """Give the outputs of R rows, (R, W).

        Args:
            first: (R, D), vectors of users, or of pairs.
            second: (R, D), vectors of items; those of pairs are not read.
            features: (R, F), NaN where unknown.
        """
        told = self._standardised(features)
        u, v = _about_one(first), _about_one(second)
        seen = [u] if self._is_pair else [u, v, (u - v).abs(), u * v]
        outputs: Tensor = self._wide(told) + self.layers(torch.cat([*seen, told], dim=1))
        return outputs

    def begin(self, losses: TaskLosses, features: Tensor, labels: Tensor) -> None:
        """Let the head begin as the best linear rule of the features; without any, as a constant.

        Found by L-BFGS over all rows, with |A|² / 2 R added to the loss.

        Args:
            losses: what wrong answers cost.
            features: (R, F), NaN where unknown.
            labels: (R, T), NaN where not known.
        """
        told = self._standardised(features)
        search: Any = torch.optim.LBFGS(
            (self.slopes, self.offsets), max_iter=100, line_search_fn="strong_wolfe"
        )

        def cost() -> Tensor:
            search.zero_grad()
            found = losses(self._wide(told), labels)
            found = found + self.slopes.square().sum() / (2 * len(told))
            found.backward()
            return found

        search.step(cost)
        search.zero_grad()

    def _wide(self, told: Tensor) -> Tensor:
        return functional.linear(told, self.slopes, self.offsets)

    def _standardised(self, features: Tensor) -> Tensor:
        return torch.nan_to_num((features - self.feature_mean) / self.feature_scale, nan=0.0)


class HeadModel(nn.Module):
    """A language model with a head, as a trainer takes it.

    Args:
        encoder: the language model; None where vectors are handed in.
        head: what answers.
        losses: what wrong answers cost.
        vectors: (N, D), of all texts, where they are encoded once.
    """

    vectors: Tensor

    def __init__(
        self,
        encoder: SentenceTransformer | None,
        head: Head,
        losses: TaskLosses,
        vectors: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.losses = encoder, head, losses
        self.register_buffer("vectors", vectors, persistent=False)

    def forward(
        self,
        labels: Tensor,
        first: Tensor,
        second: Tensor,
        features: Tensor,
        texts: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Give `loss` and `outputs` of R rows.

        Args:
            labels: (R, T), NaN where not known.
            first: (R,), places of the first texts among the vectors.
            second: (R,), places of the second.
            features: (R, F).
            texts: tokens of the texts; None where they were encoded once.
        """
        if self.encoder is None:
            vectors = self.vectors
        else:
            vectors = self.encoder(texts)["sentence_embedding"]
        outputs = self.head(vectors[first], vectors[second], features)
        return {"loss": self.losses(outputs, labels), "outputs": outputs}


def encoded(encoder: SentenceTransformer, texts: Sequence[Text], batch_size: int) -> Tensor:
    """Give the vectors of texts or pairs of texts as the encoder is now, (N, D)."""
    was_training = encoder.training
    vectors: Tensor = encoder.encode(
        list(texts), batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False
    )
    encoder.train(was_training)
    return vectors.clone()  # what inference made cannot be learned from


def _about_one(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=1) * vectors.shape[1] ** 0.5


def _moments(features: Floats) -> tuple[Floats, Floats]:
    known = np.ma.masked_invalid(features)
    mean = np.ma.filled(known.mean(axis=0), 0.0).astype(np.float32)
    deviation = np.ma.filled(known.std(axis=0), 0.0).astype(np.float32)
    return np.atleast_1d(mean), np.atleast_1d(np.where(deviation > 0, deviation, np.float32(1)))
