"""How the events of late differ from those before: how many, of which kinds, on what, by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Rows, Times
from longtale.data.live import Live
from longtale.recommend.answer import Json

_SECOND = 1_000_000


@dataclass(frozen=True, eq=False)
class TimedEvents:
    """Events with their times, in no order.

    Args:
        users: int32 (n,), user rows.
        items: int32 (n,), item rows.
        kinds: int16 (n,), numbers of kinds.
        times: int64 (n,), microseconds UTC.
    """

    users: Rows
    items: Rows
    kinds: NDArray[np.int16]
    times: Times


def events_of(live: Live) -> TimedEvents:
    """Give all events that are known, dismissals too, those of the model's data and those since."""
    parts = [
        (np.asarray(part.users, dtype=np.int32), part.items, part.kinds, part.times)
        for part in (live.dataset.interactions, live.dataset.dismissals, live.pending)
    ]
    timed = [(*columns, times) for *columns, times in parts if times is not None]
    users, items, kinds, moments = (np.concatenate(part) for part in zip(*timed, strict=True))
    return TimedEvents(users, items, kinds, moments)


@dataclass(frozen=True)
class Windows:
    """The latest of many stretches of time, and some before it.

    Args:
        seconds: length of each.
        n_before: how many of those before are compared.
    """

    seconds: int
    n_before: int

    def compared(self, events: TimedEvents, kinds: Sequence[str], now: int) -> dict[str, Json]:
        """Give counts and shares of the latest window, and the mean of those before it.

        A user or item is new in the window in which its first event lies. Shares are None where
        there was no event.

        Args:
            events: all that are known: those before all windows say who is not new.
            kinds: their names.
            now: end of the latest window, microseconds UTC.
        """
        window = (now - events.times) // (self.seconds * _SECOND)
        new_user = window == _first(events.users, window)
        new_item = window == _first(events.items, window)
        latest = window == 0
        before = (window > 0) & (window <= self.n_before)
        counts = [
            np.bincount(events.kinds[chosen], minlength=len(kinds)) for chosen in (latest, before)
        ]
        usual = counts[1] / self.n_before
        return {
            "seconds": self.seconds,
            "windows_before": self.n_before,
            "events": {
                name: {"latest": int(counts[0][k]), "usual": round(float(usual[k]), 3)}
                for k, name in enumerate(kinds)
                if counts[0][k] or counts[1][k]
            },
            "share_by_new_users": _shares(new_user, latest, before),
            "share_on_new_items": _shares(new_item, latest, before),
        }


def _first(rows: Rows, window: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give for each event the window in which the first of its row lies."""
    first = np.full(int(rows.max(initial=-1)) + 1, np.iinfo(np.int64).min)
    np.maximum.at(first, rows, window)
    return first[rows]


def _shares(
    is_new: NDArray[np.bool_], latest: NDArray[np.bool_], before: NDArray[np.bool_]
) -> dict[str, Json]:
    return {
        name: round(float(is_new[chosen].mean()), 4) if chosen.any() else None
        for name, chosen in (("latest", latest), ("usual", before))
    }
