"""Requests: who asks, with which history, in which words, when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Rows, Times
from longtale.data.interactions import Histories


@dataclass(frozen=True, eq=False)
class Queries:
    """B requests; one request is a batch of one.

    The history stands in the request, so that a model needs no mode for known users, newcomers and
    sessions: an anonymous user is row -1 with this session's history, with words, or with neither.

    Args:
        user_rows: int32 (B,), -1 is anonymous.
        histories: what each of them did, oldest first.
        text_vectors: float32 (B, D), the user's words in the space of the item vectors; a zero row
            where there are none; None where nobody said anything.
        times: int64 (B,), when each is asked, microseconds UTC; None is after the last event.
    """

    user_rows: Rows
    histories: Histories
    text_vectors: Floats | None = None
    times: Times | None = None

    @classmethod
    def of(cls, items: Sequence[Sequence[int]]) -> Queries:
        """Build anonymous requests from item rows, oldest first."""
        return cls(np.full(len(items), -1, dtype=np.int32), Histories.of(items))

    def __len__(self) -> int:
        return len(self.user_rows)

    def take(self, chosen: NDArray[np.integer]) -> Queries:
        """Give the chosen requests, in that order."""
        return Queries(
            self.user_rows[chosen],
            self.histories.take(chosen),
            None if self.text_vectors is None else self.text_vectors[chosen],
            None if self.times is None else self.times[chosen],
        )

    @staticmethod
    def concatenated(parts: Sequence[Queries]) -> Queries:
        """Put batches of the same make behind each other."""
        texts = [part.text_vectors for part in parts if part.text_vectors is not None]
        times = [part.times for part in parts if part.times is not None]
        return Queries(
            np.concatenate([part.user_rows for part in parts]),
            Histories.concatenated([part.histories for part in parts]),
            np.concatenate(texts) if len(texts) == len(parts) else None,
            np.concatenate(times) if len(times) == len(parts) else None,
        )
