"""From histories to batches: windows, buckets of like length, and what to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Rows, runs
from longtale.data.interactions import Histories

_POOL = 50  # batches that are sorted by length together; padding stays under a tenth


@dataclass(frozen=True, eq=False)
class Windows:
    """W runs of successive events of one user each, from which to learn what comes next.

    Args:
        items: int32 (n,), the events of all users behind each other.
        starts: int64 (W,), where each window begins.
        counts: int64 (W,), number of its events, from 2 to max_length + 1.
    """

    items: Rows
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, histories: Histories, max_length: int) -> Windows:
        """Cut each history into windows from its end on.

        Each event but a user's first is the target of one position of one window.

        Example:
            >>> windows = Windows.of(Histories.of([[4, 5, 6, 7], [8]]), 2)
            >>> windows.starts.tolist(), windows.counts.tolist()
            ([1, 0], [3, 2])
        """
        n_targets = np.maximum(histories.lengths - 1, 0)
        n_windows = -(-n_targets // max_length)
        before = runs(np.zeros_like(n_windows), n_windows) * max_length  # targets behind a window
        ends = np.repeat(histories.offsets[1:], n_windows) - before
        counts = np.minimum(np.repeat(n_targets, n_windows) - before, max_length) + 1
        return cls(histories.items, ends - counts, counts)

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, eq=False)
class Batch:
    """B windows, padded at their right to the longest of them.

    Args:
        items: int64 (B, T), what is read; padding is item 0.
        lengths: int64 (B,), number of real positions of each.
        real: int64 (n,), the real positions in the flattened items, row by row.
        targets: int64 (n,), the item that comes next at each of them.
    """

    items: NDArray[np.int64]
    lengths: NDArray[np.int64]
    real: NDArray[np.int64]
    targets: NDArray[np.int64]

    @classmethod
    def of(cls, windows: Windows, chosen: NDArray[np.int64]) -> Batch:
        """Build from the chosen windows."""
        starts, lengths = windows.starts[chosen], windows.counts[chosen] - 1
        events = runs(starts, lengths)
        width = int(lengths.max())
        items = np.zeros((len(chosen), width), dtype=np.int64)  # (B, T)
        real = runs(np.arange(len(chosen)) * width, lengths)
        items.reshape(-1)[real] = windows.items[events]
        return cls(items, lengths, real, windows.items[events + 1].astype(np.int64))


def epoch(windows: Windows, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Give all windows once in random order, as batches of windows of about one length.

    Args:
        windows: W windows.
        size: windows in a batch; the last one of a pool may have fewer.
        rng: decides the order.
    """
    order = rng.permutation(len(windows))
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        ordered = pool[np.argsort(windows.counts[pool], kind="stable")]
        batches = np.split(ordered, range(size, len(ordered), size))
        for b in rng.permutation(len(batches)):
            yield batches[b]


@dataclass(frozen=True, eq=False)
class Negatives:
    """Draws items to compare with, part from the batch's targets, part from all known items.

    Args:
        known: int64 (M,), the items that can be drawn.
        log_q: float32 (N,), log of the chance of each item in one draw, that is of
            q = (1 - f) / M + f p, with p the item's share of all targets and f the part that comes
            from the batch.
        n: how many are drawn.
        n_from_batch: how many of them from the batch.
    """

    known: NDArray[np.int64]
    log_q: Floats
    n: int
    n_from_batch: int

    @classmethod
    def of(cls, counts: NDArray[np.int64], n: int, from_batch: float) -> Negatives:
        """Build from the number of times that each of N items is a target."""
        known = np.flatnonzero(counts)
        n_from_batch = round(n * from_batch)
        share = n_from_batch / n
        chance = (1 - share) / max(len(known), 1) + share * counts / max(counts.sum(), 1)
        chance[counts == 0] = 1  # never drawn
        return cls(known, np.log(chance).astype(np.float32), n, n_from_batch)

    def draw(self, targets: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw n items, int64 (n,), with replacement."""
        chosen = targets[rng.integers(len(targets), size=self.n_from_batch)]
        others = self.known[rng.integers(len(self.known), size=self.n - self.n_from_batch)]
        return np.concatenate([chosen, others])


def padded(histories: Histories, max_length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the last events of B requests, each with at least one, padded at the right with item 0.

    Returns:
        items, int64 (B, T), and lengths, int64 (B,).
    """
    last = histories.last(max_length)
    width = int(last.lengths.max(initial=1))
    items = np.zeros((len(last), width), dtype=np.int64)
    real = runs(np.arange(len(last)) * width, last.lengths)
    items.reshape(-1)[real] = last.items
    return items, last.lengths


def by_length(lengths: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Give the places of B requests in batches of at most `size`, those of like length together."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]
