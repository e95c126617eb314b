"""Telling the right text from all others of the batch; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

Met = Callable[[NDArray[np.int32], NDArray[np.int32]], NDArray[np.bool_]]


def in_batch_loss(
    first: Tensor,
    others: Tensor,
    *,
    known: Tensor,
    log_q: Tensor,
    temperature: float,
) -> Tensor:
    """Give the mean loss of finding each text's partner among all others.

        -log( exp(s_ii) / (exp(s_ii) + Σ_j exp(s_ij)) ),   s_ij = cos(a_i, b_j) / τ - log q_j

    over the j that nobody chose together with i: such a text may be a right answer, too, and is
    left out (false negatives). An item that is drawn often is a wrong answer often; q_j, the
    probability that it is drawn, makes up for that.

    Source: InfoNCE (van den Oord et al. 2018, arXiv:1807.03748); the correction by log q after
    Yi et al. 2019, RecSys, doi:10.1145/3298689.3346996.

    Args:
        first: float (B, D), unit rows.
        others: float (C, D), C >= B; row i < B is the partner of row i of `first`.
        known: bool (B, C), pairs that are no wrong answers.
        log_q: float (C,).
        temperature: τ.
    """
    scores = first @ others.T / temperature - log_q
    own = torch.arange(len(first), device=first.device)
    wrong = scores.masked_fill(known, -torch.inf)
    wrong[own, own] = scores[own, own]
    return functional.cross_entropy(wrong, own)


class InBatchLoss(nn.Module):  # type: ignore[misc, unused-ignore]
    """`in_batch_loss` in both directions, as sentence-transformers calls a loss.

    All texts of a batch are candidates: partners, first texts and hard negatives.

    Args:
        model: reads the texts.
        met: says which pairs of items are no wrong answers; -1 is no item and never known.
        log_q: float32 (N + 1,), log of the probability that an item is drawn; the last is of -1.
        temperature: τ.
    """

    def __init__(
        self, model: SentenceTransformer, met: Met, log_q: Tensor, *, temperature: float
    ) -> None:
        super().__init__()
        self.model = model
        self._met = met
        self._temperature = temperature
        self._log_q = log_q

    def forward(self, texts: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Give the loss of a batch.

        Args:
            texts: tokens of the first texts, of their partners, and of hard negatives.
            labels: int64 (B, 2 + n), the items of these texts; -1 is a history.
        """
        vectors = [
            functional.normalize(self.model(each)["sentence_embedding"], dim=1) for each in texts
        ]
        columns = list(labels.T)
        one = self._toward(vectors, columns)
        turned = [vectors[1], vectors[0], *vectors[2:]]
        other = self._toward(turned, [columns[1], columns[0], *columns[2:]])
        return (one + other) / 2

    def _toward(self, vectors: list[Tensor], items: list[Tensor]) -> Tensor:
        first, own = vectors[0], items[0]
        others = torch.cat([*vectors[1:], first])
        rows = torch.cat([*items[1:], own])
        known = self._known(own, rows)
        own_places = torch.arange(len(own), device=first.device)
        known[own_places, len(rows) - len(own) + own_places] = True  # a text is not its own answer
        return in_batch_loss(
            first,
            others,
            known=known,
            log_q=self._log_q.to(first.device)[rows],
            temperature=self._temperature,
        )

    def _known(self, first: Tensor, second: Tensor) -> Tensor:
        rows = first.cpu().numpy().astype(np.int32), second.cpu().numpy().astype(np.int32)
        known = self._met(*rows)
        known[rows[0] < 0] = False
        known[:, rows[1] < 0] = False
        return torch.from_numpy(known).to(first.device)
