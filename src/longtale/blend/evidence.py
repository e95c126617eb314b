"""What is known of an item and of a request before any source speaks: the gate's evidence.

    item     log(1 + n_i) - log 10      n_i interactions in training
             1 if n_i = 0, else 0
             log(1 + age in days) - log 100, age since the item's first event; 0 without times
    request  log(1 + n_u) - log 10      n_u events in the history
             log(1 + days since the last event) - log 10; 0 without times
             log(1 + largest standardised score) of each source: how sure it is

Each is near 0 for what is usual, so that a slope says what changes where the usual ends.
"""

from __future__ import annotations

import numpy as np

from longtale.arrays import DAY, Floats
from longtale.data.dataset import Dataset
from longtale.data.query import Queries

ITEM_EVIDENCE = ("touched", "new", "age")
"""The columns of `item_evidence`."""
REQUEST_EVIDENCE = ("history", "pause")
"""The columns of `request_evidence`."""

_USUAL_EVENTS = np.log(10)
_USUAL_AGE = np.log(100)
_UNTOUCHED = np.array([-_USUAL_EVENTS, 1, 0], dtype=np.float32)


def item_evidence(dataset: Dataset) -> Floats:
    """Give what is known of each item, float32 (N, 3)."""
    counts = dataset.item_counts
    evidence = np.zeros((len(counts), len(ITEM_EVIDENCE)), dtype=np.float32)
    evidence[:, 0] = np.log1p(counts) - _USUAL_EVENTS
    evidence[:, 1] = counts == 0
    times = dataset.interactions.times
    if times is not None:
        first = np.full(len(counts), np.iinfo(np.int64).max)
        np.minimum.at(first, dataset.interactions.items, times)
        days = np.maximum(times.max(initial=0) - first, 0) / DAY
        evidence[:, 2] = np.where(counts > 0, np.log1p(days) - _USUAL_AGE, 0)
    return evidence


def widened(evidence: Floats, n_items: int) -> Floats:
    """Give the evidence of a catalogue that has grown: what came later is untouched."""
    added = np.tile(_UNTOUCHED, (n_items - len(evidence), 1))
    return np.concatenate([evidence, added]) if len(added) else evidence


def request_evidence(queries: Queries) -> Floats:
    """Give what is known of each request, float32 (B, 2)."""
    histories = queries.histories
    evidence = np.zeros((len(queries), len(REQUEST_EVIDENCE)), dtype=np.float32)
    evidence[:, 0] = np.log1p(histories.lengths) - _USUAL_EVENTS
    if queries.times is not None and histories.times is not None:
        acted = np.flatnonzero(histories.lengths)
        last = histories.times[histories.offsets[acted + 1] - 1]
        days = np.maximum(queries.times[acted] - last, 0) / DAY
        evidence[acted, 1] = np.log1p(days) - _USUAL_EVENTS
    return evidence


def sureness(standardised: Floats) -> Floats:
    """Give how far each source's best item stands out, float32 (S, B), from scores (S, B, N)."""
    return np.log1p(np.maximum(standardised.max(axis=-1, initial=0), 0))
