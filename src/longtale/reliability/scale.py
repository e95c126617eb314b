"""How much is tried: quick, for every change, and full, as the guarantees say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Misses = Literal["strict", "tolerant"]
"""Whether speed decides as the targets say, or only where it misses them by far: a machine may do
other things too."""


@dataclass(frozen=True)
class Scale:
    """How much is tried of what.

    Args:
        name: quick or full.
        n_kills: how often a loaded server is killed.
        n_power_losses: how often the power is cut.
        n_events: events that are sent several times.
        n_batches: batches with bad rows in them.
        load_s: seconds of each load that is measured.
        overload_s: seconds of overload.
        n_bulk: events of a bulk upload that is measured.
        n_singles: requests of each that are measured one by one.
        n_writes: events that must be known to the next answer.
        n_new_items: items whose way into the lists is timed.
        n_slates: slates in which nothing may be that is excluded.
        n_malformed: requests that make no sense.
        n_swaps: how often one model takes the place of another under load.
        n_flips: how often one bit of a bundle is turned.
        n_texts: texts with personal data.
        n_explained: users whose slates are explained.
        is_large: try speed with 100,000 items and 1,000,000 events, and their training.
        misses: whether a figure of speed that misses its target decides.
    """

    name: str
    n_kills: int
    n_power_losses: int
    n_events: int
    n_batches: int
    load_s: float
    overload_s: float
    n_bulk: int
    n_singles: int
    n_writes: int
    n_new_items: int
    n_slates: int
    n_malformed: int
    n_swaps: int
    n_flips: int
    n_texts: int
    n_explained: int
    is_large: bool
    misses: Misses


QUICK = Scale(
    name="quick",
    n_kills=4,
    n_power_losses=60,
    n_events=300,
    n_batches=12,
    load_s=1.5,
    overload_s=3.0,
    n_bulk=10_000,
    n_singles=60,
    n_writes=20,
    n_new_items=3,
    n_slates=400,
    n_malformed=200,
    n_swaps=4,
    n_flips=150,
    n_texts=260,
    n_explained=5,
    is_large=False,
    misses="tolerant",
)
FULL = Scale(
    name="full",
    n_kills=200,
    n_power_losses=1_000,
    n_events=5_000,
    n_batches=200,
    load_s=20.0,
    overload_s=60.0,
    n_bulk=200_000,
    n_singles=1_000,
    n_writes=500,
    n_new_items=30,
    n_slates=100_000,
    n_malformed=10_000,
    n_swaps=100,
    n_flips=10_000,
    n_texts=2_600,
    n_explained=100,
    is_large=True,
    misses="strict",
)
