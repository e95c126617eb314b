"""Who showed interest in what, in which order: histories and the table of interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import (
    Floats,
    Mask,
    Offsets,
    Rows,
    Times,
    narrowed,
    offsets_of,
    runs,
    segment_positions,
    segment_rows,
)


@dataclass(frozen=True, eq=False)
class Histories:
    """What each of B users did, oldest first, as one ragged array.

    Args:
        offsets: int64 (B + 1,); user b's events are at offsets[b]:offsets[b + 1].
        items: int32 (n,), item rows.
        weights: float32 (n,), interest that each event shows.
        times: int64 (n,), microseconds UTC; None where only the order is known.
    """

    offsets: Offsets
    items: Rows
    weights: Floats
    times: Times | None = None

    @classmethod
    def of(cls, items: Sequence[Sequence[int]]) -> Histories:
        """Build from item rows per user, oldest first, each event of weight 1.

        Example:
            >>> Histories.of([[3, 1], []]).lengths.tolist()
            [2, 0]
        """
        offsets = offsets_of(np.array([len(row) for row in items], dtype=np.int64))
        flat = np.array([item for row in items for item in row], dtype=np.int32)
        return cls(offsets, flat, np.ones(len(flat), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of events of each user, int64 (B,)."""
        return np.diff(self.offsets)

    def take(self, users: NDArray[np.integer]) -> Histories:
        """Give the histories of the chosen users, in that order."""
        positions = segment_positions(self.offsets, users)
        return self._at(positions, self.offsets[users + 1] - self.offsets[users])

    def first(self, n_events: int | NDArray[np.integer]) -> Histories:
        """Keep only the first n events of each user; n is one number, or one for each, (B,)."""
        starts = self.offsets[:-1]
        return self._between(starts, np.minimum(starts + n_events, self.offsets[1:]))

    def last(self, n_events: int | NDArray[np.integer]) -> Histories:
        """Keep only the last n events of each user; n is one number, or one for each, (B,)."""
        ends = self.offsets[1:]
        return self._between(np.maximum(ends - n_events, self.offsets[:-1]), ends)

    def where(self, kept: Mask) -> Histories:
        """Keep the chosen events, bool (n,); every user stays, perhaps with nothing."""
        counts = np.bincount(segment_rows(self.offsets)[kept], minlength=len(self))
        return self._at(np.flatnonzero(kept), counts)

    def matrix(self, n_items: int) -> sparse.csr_array:
        """Give interest as float32 (B, N); events with the same item add up."""
        offsets = narrowed(self.offsets)
        matrix = sparse.csr_array(
            (self.weights, self.items, offsets), shape=(len(self), n_items), copy=True
        )
        matrix.sum_duplicates()
        return matrix

    @staticmethod
    def concatenated(parts: Sequence[Histories]) -> Histories:
        """Put batches of users behind each other."""
        times = [part.times for part in parts if part.times is not None]
        return Histories(
            offsets_of(np.concatenate([part.lengths for part in parts])),
            np.concatenate([part.items for part in parts]),
            np.concatenate([part.weights for part in parts]),
            np.concatenate(times) if len(times) == len(parts) else None,
        )

    def followed_by(self, later: Histories) -> Histories:
        """Put the later events of the same B users behind what each of them did.

        Times are known only where both halves have them.

        Example:
            >>> both = Histories.of([[3, 1], []]).followed_by(Histories.of([[7], [5]]))
            >>> both.items.tolist(), both.offsets.tolist()
            ([3, 1, 7, 5], [0, 3, 4])
        """
        in_turn = np.arange(2 * len(self)).reshape(2, -1).T.ravel()
        halves = Histories.concatenated([self, later]).take(in_turn)
        return Histories(halves.offsets[::2], halves.items, halves.weights, halves.times)

    def _between(self, starts: Offsets, ends: Offsets) -> Histories:
        counts = ends - starts
        return self._at(runs(starts, counts), counts)

    def _at(self, positions: NDArray[np.int64], counts: NDArray[np.integer]) -> Histories:
        times = None if self.times is None else self.times[positions]
        return Histories(offsets_of(counts), self.items[positions], self.weights[positions], times)


@dataclass(frozen=True, eq=False)
class Interactions:
    """All events of one sense (interest, or dismissal), sorted by user, then oldest first.

    Args:
        histories: one history for each of U users.
        kinds: int16 (n,), number of the event's kind in the dataset's `kinds`.
        values: float32 (n,), rating, price or seconds; NaN where there is none.
    """

    histories: Histories
    kinds: NDArray[np.int16]
    values: Floats

    @classmethod
    def of(cls, items: Sequence[Sequence[int]], *, times: Times | None = None) -> Interactions:
        """Build from item rows per user, for tests and examples."""
        histories = Histories.of(items)
        histories = Histories(histories.offsets, histories.items, histories.weights, times)
        n_events = len(histories.items)
        return cls(
            histories,
            np.zeros(n_events, dtype=np.int16),
            np.full(n_events, np.nan, dtype=np.float32),
        )

    def __len__(self) -> int:
        return len(self.histories.items)

    @property
    def users(self) -> NDArray[np.int64]:
        """User row of each event, (n,)."""
        return segment_rows(self.histories.offsets)

    @property
    def items(self) -> Rows:
        """Item row of each event, int32 (n,)."""
        return self.histories.items

    @property
    def times(self) -> Times | None:
        """Time of each event in microseconds UTC, (n,), or None where only the order is known."""
        return self.histories.times

    def where(self, kept: Mask) -> Interactions:
        """Keep the chosen events, bool (n,)."""
        return Interactions(self.histories.where(kept), self.kinds[kept], self.values[kept])
