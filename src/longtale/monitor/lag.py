"""How far what answers know stands behind what was acknowledged."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_COARSE_S = 0.01
"""Records that are acknowledged within so short a time share one note."""
_MOST_NOTES = 4096
"""Notes of an applier that stands still; later records then share the last one."""


class Lag:
    """How long the oldest acknowledged record has been waiting to be applied.

    Args:
        clock: gives seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[tuple[int, float]] = deque()
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.applied = 0

    def acknowledge(self, seq: int) -> None:
        """Remember that all records up to this number were acknowledged, the last of them now."""
        with self._lock:
            if seq <= self.acknowledged:
                return
            self.acknowledged = seq
            now = self._clock()
            if self._waiting and (
                now - self._waiting[-1][1] < _COARSE_S or len(self._waiting) >= _MOST_NOTES
            ):
                self._waiting[-1] = (seq, self._waiting[-1][1])
            elif seq > self.applied:
                self._waiting.append((seq, now))

    def apply(self, seq: int) -> None:
        """Remember that answers know all records up to this number."""
        with self._lock:
            self.applied = max(self.applied, seq)
            self.acknowledged = max(self.acknowledged, seq)
            while self._waiting and self._waiting[0][0] <= self.applied:
                self._waiting.popleft()

    def seconds(self) -> float:
        """Give the age of the oldest record that was acknowledged and is not applied."""
        with self._lock:
            return self._clock() - self._waiting[0][1] if self._waiting else 0.0
