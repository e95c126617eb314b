"""How much of the catalogue was shown lately, at the price of a look-up per shown item."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

_SLOTS = 12
"""Pieces of the window: an item falls out of it at most a twelfth of the window late."""


class ShownItems:
    """The distinct items of the slates of a sliding window.

    Time is cut into slots. Each item is kept with the last slot in which it was shown, and each
    slot with the number of items whose last slot it is; the sum over the slots of the window is the
    number of distinct items. Showing an item moves it from its old slot to the present one.

    Args:
        window_s: length of the window, seconds.
        clock: gives seconds that never go back.
    """

    def __init__(
        self, window_s: float = 3600.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slot_s = window_s / _SLOTS
        self._clock = clock
        self._last: dict[str, int] = {}
        self._counts: dict[int, int] = {}
        self._lock = threading.Lock()

    def show(self, items: Iterable[str]) -> None:
        """Remember that these items were in a slate."""
        with self._lock:
            now = self._present()
            self._counts.setdefault(now, 0)
            for item in items:
                before = self._last.get(item)
                if before != now:
                    if before in self._counts:
                        self._counts[before] -= 1
                    self._last[item] = now
                    self._counts[now] += 1

    def __len__(self) -> int:
        with self._lock:
            self._present()
            return sum(self._counts.values())

    def _present(self) -> int:
        """Give the present slot, and let go of those, and of the items, that left the window."""
        now = int(self._clock() // self._slot_s)
        left = [slot for slot in self._counts if slot <= now - _SLOTS]
        for slot in left:
            del self._counts[slot]
        if left:
            self._last = {item: slot for item, slot in self._last.items() if slot in self._counts}
        return now
