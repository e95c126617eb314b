"""What a student's vectors lack of being its teacher's; needs torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

_TINY = 1e-6  # share of the largest variance below which a direction is rounding noise


class Evening(NamedTuple):
    """Makes directions count alike: x -> (x - mean) projection.

    Args:
        mean: float32 (D,).
        projection: float32 (D, D).
    """

    mean: Tensor
    projection: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """Give float32 (N, D)."""
        return (vectors - self.mean) @ self.projection


def evening_of(vectors: Tensor, power: float = 0.75) -> Evening:
    """Learn from vectors which directions they share, and how much each counts.

    With C = V diag(l) V' the covariance, the projection is V diag(l ** (-power / 2)): what a
    whitening of the same power does to item vectors before they are compared (Su et al. 2021,
    arXiv:2103.15316).

    Args:
        vectors: float32 (N, D).
        power: 1 makes all directions alike, 0 leaves them.
    """
    exact = vectors.double()
    mean = exact.mean(dim=0)
    centred = exact - mean
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(exact))
    is_used = variances > _TINY * variances.max()
    scales = torch.where(is_used, variances.clamp(min=1e-12) ** (-power / 2), 0.0)
    return Evening(mean.float(), (directions * scales).float())


def unlikeness(own: Tensor, theirs: Tensor) -> Tensor:
    """Give 1 - mean cosine of vectors, float32 (B, D), and those they should be."""
    return 1 - functional.cosine_similarity(own, theirs, dim=1).mean()


def similarity_gap(own: Tensor, theirs: Tensor) -> Tensor:
    """Give the mean squared difference between two tables of cosines, the diagonal left out.

        sum_{i != j} (s_i·s_j - t_i·t_j)² / (B (B - 1))

    It asks nothing of directions, so the student may be of any width (Tung and Mori 2019,
    arXiv:1907.09682).

    Args:
        own: float32 (B, D), B of 2 or more.
        theirs: float32 (B, D').
    """
    tables = [unit @ unit.T for unit in (functional.normalize(x, dim=1) for x in (own, theirs))]
    gap = (tables[0] - tables[1]).square()
    return (gap.sum() - gap.diagonal().sum()) / (len(own) * (len(own) - 1))


class TeacherLoss(nn.Module):  # type: ignore[misc, unused-ignore]
    """How far a student is from its teacher.

        (1 - cos(s, t)) + a (1 - cos(e(s), e(t))) + b similarity_gap(s, t)

    s and t are a text's vectors of student and teacher, e the evening of the teacher's. Vectors
    that were cut (`MatryoshkaLoss`) are asked for similarities alone: the teacher's leading numbers
    were never meant to stand alone.

    Args:
        model: the student.
        targets: float32 (N, D), unit rows: the teacher's vectors; labels are rows of it.
        even_weight: a.
        similarity_weight: b.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        targets: Tensor,
        *,
        even_weight: float,
        similarity_weight: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.targets = targets.to(model.device)
        self.even = evening_of(self.targets)
        self.even_weight = even_weight
        self.similarity_weight = similarity_weight

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Give the loss of a batch; labels are int64 (B,), rows of the targets."""
        (features,) = sentence_features
        own: Tensor = self.model(features)["sentence_embedding"].float()  # (B, D)
        theirs = self.targets[labels.flatten()]  # (B, D)
        if own.shape[1] != theirs.shape[1]:
            return similarity_gap(own, theirs)
        own = functional.normalize(own, dim=1)
        loss = unlikeness(own, theirs)
        if self.even_weight:
            loss = loss + self.even_weight * unlikeness(self.even(own), self.even(theirs))
        if self.similarity_weight:
            loss = loss + self.similarity_weight * similarity_gap(own, theirs)
        return loss
