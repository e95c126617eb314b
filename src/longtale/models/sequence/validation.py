"""How good a net is while it trains: nDCG@10 on full ranking; needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Floats, segment_rows
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.models.sequence.batches import by_length, padded
from longtale.models.sequence.net import LastState, SequenceNet

DEPTH = 10
_SIZE = 256  # requests at once: their scores of 12,000 items take 12 MB


class HeldOut(Protocol):
    """Requests with their right answers, such as a fold."""

    @property
    def queries(self) -> Queries:
        """B requests."""
        ...

    @property
    def targets(self) -> Histories:
        """The right items of each of them."""
        ...

    @property
    def seen(self) -> sparse.csr_array:
        """(B, N), whose stored entries are not ranked."""
        ...


@dataclass(frozen=True, eq=False)
class Validation:
    """Requests that the net can answer.

    Args:
        histories: what each of B of them did, with items that the net knows, at least one.
        targets: the right items.
        seen: (B, N), whose stored entries are not ranked.
        known: int64 (M,), the items that are ranked.
        max_length: how many of the last events are read.
        n_asked: number of requests, with those that the net cannot answer.
    """

    histories: Histories
    targets: Histories
    seen: sparse.csr_array
    known: NDArray[np.int64]
    max_length: int
    n_asked: int

    @classmethod
    def of(cls, held_out: HeldOut, known: NDArray[np.int64], max_length: int) -> Validation:
        """Drop what the net does not know from histories, and who has nothing left."""
        n_items = held_out.seen.shape[1]
        is_known = np.isin(np.arange(n_items), known)
        histories = held_out.queries.histories
        histories = histories.where(is_known[histories.items])
        asked = np.flatnonzero(histories.lengths)
        return cls(
            histories.take(asked),
            held_out.targets.take(asked),
            held_out.seen[asked],
            known,
            max_length,
            len(held_out.queries),
        )


def ndcg(net: SequenceNet, validation: Validation, device: torch.device) -> NDArray[np.float64]:
    """Give the nDCG@10 of all requests, (n_asked,), ranking all known items that are not seen.

    Those that the net cannot answer have 0 and stand last.
    """
    net.eval()
    gains = np.zeros(validation.n_asked)
    known = torch.from_numpy(validation.known).to(device)
    with torch.inference_mode():
        table = net.table(known)  # (M, d)
        items = torch.zeros(validation.seen.shape[1], table.shape[1], device=device)
        items[known] = table
        last = LastState(net.encoder)
        for chosen in by_length(validation.histories.lengths, _SIZE):
            places, lengths = padded(validation.histories.take(chosen), validation.max_length)
            states = last(items[torch.from_numpy(places)], torch.from_numpy(lengths).to(device))
            scores = np.full((len(chosen), len(items)), -np.inf, dtype=np.float32)
            scores[:, validation.known] = (states @ table.T).float().cpu().numpy()
            gains[chosen] = _gains(scores, validation.targets.take(chosen), validation.seen[chosen])
    return gains


def _gains(scores: Floats, targets: Histories, seen: sparse.csr_array) -> NDArray[np.float64]:
    """Give the nDCG@10 of each of B requests.

    Args:
        scores: float32 (B, N), changed in place; -inf is not ranked.
        targets: the right items of each.
        seen: (B, N).
    """
    rows = segment_rows(targets.offsets)
    own = scores[rows, targets.items]
    scores[segment_rows(seen.indptr), seen.indices] = -np.inf
    better = (scores[rows] > own[:, None]).sum(axis=1)
    equal = (scores[rows] == own[:, None]).sum(axis=1)
    ranks = better + 0.5 * np.maximum(equal - 1, 0)
    found = np.where((ranks < DEPTH) & np.isfinite(own), 1 / np.log2(ranks + 2), 0)
    sums = np.bincount(rows, found, minlength=len(targets))
    ideal = np.cumsum(1 / np.log2(np.arange(DEPTH) + 2))
    reached = np.minimum(targets.lengths, DEPTH)
    return np.where(reached > 0, sums / ideal[np.maximum(reached, 1) - 1], 0)
