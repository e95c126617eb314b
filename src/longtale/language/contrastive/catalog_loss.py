"""Telling what else people chose from the whole catalogue; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from longtale.arrays import Floats, segment_rows
from longtale.contracts import Encode, OnProgress
from longtale.data.interactions import Histories
from longtale.language.contrastive.head import Headed, teach_head
from longtale.language.model import encoded
from longtale.language.training import judging
from longtale.stages import Stages, unseen


def catalog_loss(
    vectors: Tensor,
    told: Histories,
    asked: Histories,
    *,
    temperature: float,
) -> Tensor:
    """Give the mean loss of finding what each user is asked for among all items.

        1/U Σ_u 1/|A_u| Σ_{i in A_u} -log softmax_i(e_i · p_u / τ),   p_u = unit(Σ_{j in T_u} e_j)

    with T_u the items that are told of a user and A_u those asked for; what is told is no wrong
    answer. All items are candidates and none is drawn, so that nothing is to be corrected, and a
    text may also tell that its item is chosen often.

    Args:
        vectors: float (N, D), unit rows.
        told: U histories, none of them empty.
        asked: U histories, none of them empty.
        temperature: τ.
    """
    device = vectors.device
    starts = torch.from_numpy(told.offsets[:-1]).to(device)
    rows, items = (_tensor(each, device) for each in (segment_rows(told.offsets), told.items))
    profiles = functional.normalize(
        functional.embedding_bag(items, vectors, starts, mode="sum"), dim=1
    )
    scores = profiles @ vectors.T / temperature  # (U, N)
    is_told = torch.zeros(scores.shape, dtype=torch.bool, device=device)
    is_told[rows, items] = True
    losses = -functional.log_softmax(scores.masked_fill(is_told, -torch.inf), dim=1)
    users = segment_rows(asked.offsets)
    shares = torch.from_numpy(1 / asked.lengths[users]).to(losses)
    own = losses[_tensor(users, device), _tensor(asked.items, device)]
    return (shares * own).sum() / len(asked)


class CatalogLoss(nn.Module):  # type: ignore[misc, unused-ignore]
    """`catalog_loss` over all items, of which each batch reads some anew.

    The vectors of all items are kept. Those of a batch take the place of the kept ones, and alone
    carry the gradient: so a text is compared with the whole catalogue at the price of reading it.
    A kept vector is as old as the last reading of its text, which matters little, since the model
    changes slowly.

    Source: what is learned after beeFormer (Vančura et al. 2024, RecSys, arXiv:2409.10309), with a
    softmax for its squared error; kept vectors after Wang et al. 2020 (arXiv:1912.06798).

    Args:
        model: reads the texts.
        texts: of all N items; blank ones are no candidates.
        histories: what each user chose among items with a text, each item once.
        n_users: how many are drawn for a batch.
        n_events: how many of each history are read at most, 2 or more, drawn anew each time: a
            long one would tell what everybody chooses rather than what goes together.
        temperature: τ.
        rng: draws users, and deals their histories into what is told and what is asked for.
        in_bf16: whether texts that carry no gradient are read in bfloat16.

    Attributes:
        rows: int32, items with a text that somebody chose: the candidates.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        texts: Sequence[str],
        histories: Histories,
        *,
        n_users: int,
        n_events: int,
        temperature: float,
        rng: np.random.Generator,
        in_bf16: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self._temperature = temperature
        self._n_users = n_users
        self._n_events = n_events
        self._rng = rng
        self._in_bf16 = in_bf16
        self.rows = np.unique(histories.items)
        self._texts = [texts[row] for row in self.rows.tolist()]
        self._histories = _renumbered(histories, self.rows)
        self._kept: Tensor | None = None

    def forward(self, texts: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Give the loss of a batch.

        Args:
            texts: tokens of the texts, in a list of one.
            labels: int64 (B,), the items of these texts.
        """
        if self._kept is None:  # not sooner: a training that goes on has its weights only now
            self._kept = self._read_all()
        (tokens,) = texts
        vectors = functional.normalize(self.model(tokens)["sentence_embedding"], dim=1).float()
        items, places = np.unique(labels.cpu().numpy(), return_index=True)
        rows = _tensor(np.searchsorted(self.rows, items), vectors.device)
        fresh = vectors[_tensor(places, vectors.device)]
        with torch.autocast(vectors.device.type, enabled=False):
            loss = self._asked(self._kept.index_copy(0, rows, fresh))
        self._kept[rows] = fresh.detach()
        return loss

    def teach(
        self,
        head: nn.Linear,
        *,
        n_steps: int,
        learning_rate: float,
        score: Callable[[Encode], float] | None = None,
        every: int = 1,
        stages: Stages = unseen,
    ) -> dict[int, float]:
        """Let a matrix learn on what the model says now; the rest is as `teach_head` says."""
        with stages("read", total=len(self._texts)) as advance:
            vectors = self._read_all(advance)
        headed = Headed(self._read, head)
        with stages("learn", total=n_steps) as advance:
            curve = teach_head(
                head,
                vectors,
                self._asked,
                n_steps=n_steps,
                learning_rate=learning_rate,
                score=None if score is None else lambda: score(headed),
                every=every,
                on_progress=advance,
            )
        with torch.no_grad():
            self._kept = functional.normalize(head(vectors), dim=1)
        return curve

    def _asked(self, vectors: Tensor) -> Tensor:
        return catalog_loss(vectors, *self._dealt(), temperature=self._temperature)

    def _read_all(self, on_progress: OnProgress = None) -> Tensor:
        return torch.from_numpy(self._read(self._texts, on_progress)).to(self.model.device)

    def _read(self, texts: Sequence[str], on_progress: OnProgress = None) -> Floats:
        kind = self.model.device.type
        with judging(self.model), torch.autocast(kind, torch.bfloat16, enabled=self._in_bf16):
            return encoded(self.model, texts, on_progress)

    def _dealt(self) -> tuple[Histories, Histories]:
        """Draw users, and deal some of what each chose into two halves of which none is empty."""
        able = np.flatnonzero(self._histories.lengths >= 2)
        n = min(self._n_users, len(able))
        drawn = self._histories.take(np.sort(self._rng.choice(able, size=n, replace=False)))
        users = segment_rows(drawn.offsets)
        order = np.lexsort((self._rng.random(len(users)), users))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) - drawn.offsets[users]
        read = np.minimum(drawn.lengths, self._n_events)[users]
        is_told = place < read // 2
        return drawn.where(is_told), drawn.where(~is_told & (place < read))


def _renumbered(histories: Histories, rows: NDArray[np.int32]) -> Histories:
    """Name items by their place among rows."""
    items = np.searchsorted(rows, histories.items).astype(np.int32)
    return Histories(histories.offsets, items, histories.weights)


def _tensor(values: NDArray[np.integer], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64)).to(device)
