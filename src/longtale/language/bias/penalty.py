"""A term of the loss that draws the means of groups together; needs torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from longtale.errors import DataError


def group_distance(vectors: Tensor, groups: Tensor) -> Tensor:
    """Give how far the means of groups lie from those of all others, squared, mean over groups.

    For a group a and all others b of a batch, with x·y averaged over pairs of different rows,

        |mean_a - mean_b|² ≈ <x·x'>_aa + <x·x'>_bb - 2 <x·x'>_ab

    which is right in the mean also for a few rows, where the distance of their means would be too
    large by their scatter, and would shrink that (maximum mean discrepancy with a linear kernel,
    Gretton et al. 2012). It may be a little below 0 by chance.

    Args:
        vectors: (B, D).
        groups: int (B,), -1 is none, whose rows are among the others.

    Returns:
        a number; 0 where no group has two rows and two others.
    """
    products = vectors @ vectors.T
    products = products - torch.diag(products.diagonal())
    distances = []
    for number in sorted(set(groups.tolist())):
        own = (groups == number).to(products.dtype)
        other, n, m = 1 - own, own.sum(), (1 - own).sum()
        if number < 0 or n < 2 or m < 2:
            continue
        inside = own @ products @ own / (n * (n - 1)) + other @ products @ other / (m * (m - 1))
        distances.append(inside - 2 * (own @ products @ other) / (n * m))
    return torch.stack(distances).mean() if distances else 0.0 * products.sum()


class BalancedLoss(nn.Module):
    """Any loss of sentence-transformers plus strength · `group_distance` of each column of texts.

    The vectors are overheard where the loss makes them: no pass is added. The column `label` of
    the examples says to which group each text belongs, so the loss itself must need no labels, as
    contrastive ones do not.

    Args:
        loss: module with the encoder as `model`.
        strength: how much the distance counts.
    """

    def __init__(self, loss: nn.Module, strength: float) -> None:
        super().__init__()
        self.loss = loss
        self.strength = strength

    @property
    def model(self) -> Any:
        """The encoder."""
        inner: Any = self.loss
        return inner.model

    def forward(
        self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None
    ) -> Tensor:
        """Give the loss of a batch.

        Args:
            sentence_features: of each of C columns of B texts.
            labels: int (B, C), group of each text, -1 is none.
        """
        features = list(sentence_features)
        if labels is None or labels.shape[1:] != (len(features),):
            seen = "no labels" if labels is None else f"labels of the shape {tuple(labels.shape)}"
            raise DataError(
                f"{seen} for {len(features)} columns of texts; give a column 'label' with a list "
                "of groups, one for each text of an example, -1 is none"
            )
        heard: list[Tensor] = []
        handle = self.model.register_forward_hook(
            lambda _, __, given: heard.append(given["sentence_embedding"])
        )
        try:
            found: Tensor = self.loss(features, None)
        finally:
            handle.remove()
        pairs = zip(heard, labels.T, strict=False)  # a hardened loss reads the columns again
        return found + self.strength * sum(group_distance(*pair) for pair in pairs)
