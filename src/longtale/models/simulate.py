"""Generated behaviour: what people would plausibly do, as events of small weight to learn from.

The idea of LLM-InS (Huang et al. 2024, "Large Language Model Interaction Simulator for Cold-Start
Item Recommendation", arXiv:2402.09176) without the language model: whom a new item would interest
is told from its description.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask, Rows, offsets_of, top_k
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories, Interactions
from longtale.data.query import Queries
from longtale.errors import DataError
from longtale.settings import Settings

GENERATED = "generated"
"""Kind of the events that nobody made: whatever measures or shows events leaves these out."""

Scored = Callable[[Queries], Floats]
"""Gives for B requests float32 (B, N), larger is better, NaN where it cannot say."""

_BATCH = 512


class SimulateSettings(Settings):
    """How much behaviour is generated."""

    users_per_item: int = Field(default=20, ge=1)
    """How many likely users each new item gets."""
    weight: float = Field(default=0.1, gt=0, le=1)
    """What a generated event counts against one that happened."""


def with_likely_users(
    dataset: Dataset, scored: Scored, chosen: Mask, settings: SimulateSettings
) -> Dataset:
    """Give each chosen item the users whom it would interest most, as events before all others.

    A user's standing at an item is the score standardised over that user's chosen items, so that
    nobody is likely for everything.

    Args:
        dataset: what happened.
        scored: says from descriptions alone how well each item suits a history, as the cold map.
        chosen: bool (N,), items that shall get events; those that nobody met, as a rule.
        settings: how many events, of which weight.

    Returns:
        the dataset with these events, of kind `generated`, for training only.
    """
    items = np.flatnonzero(chosen)
    if not len(items) or not dataset.n_users:
        return dataset
    standing = np.concatenate(
        [_standing(dataset, rows, scored, items) for rows in _batches(dataset.n_users)]
    )
    users, _ = top_k(np.ascontiguousarray(standing.T), settings.users_per_item)  # (M, k)
    real = users >= 0
    owners = np.repeat(items, real.sum(axis=1)).astype(np.int32)
    return _with_events(dataset, users[real], owners, settings.weight)


def continued(
    queries: Queries,
    scored: Scored,
    *,
    n_events: int,
    temperature: float,
    rng: np.random.Generator,
) -> Histories:
    """Draw how each request's history may go on, event by event.

    Each event is drawn with probability softmax(score / temperature) among the items that are not
    in the history yet, and the history with it asks for the next (Gumbel 1954: the largest of
    score / temperature + Gumbel noise).

    Args:
        queries: B requests.
        scored: any scorer of histories.
        n_events: how many events are drawn for each request.
        temperature: small draws what is most likely, large draws anything.
        rng: draws.

    Returns:
        only the drawn events, at most `n_events` for each request; fewer where no item is left.
    """
    begun = queries.histories
    drawn: list[list[int]] = [[] for _ in range(len(queries))]
    for _ in range(n_events):
        history = begun.followed_by(Histories.of(drawn))
        scores = scored(replace(queries, histories=history))
        noisy = scores / np.float32(temperature) + rng.gumbel(size=scores.shape)
        noisy[history.matrix(scores.shape[1]).toarray() != 0] = -np.inf
        found, _ = top_k(noisy.astype(np.float32), 1)
        for row, item in zip(drawn, found[:, 0].tolist(), strict=True):
            if item >= 0:
                row.append(item)
    return Histories.of(drawn)


def without_generated(dataset: Dataset) -> Dataset:
    """Take all generated events away again."""
    if GENERATED not in dataset.kinds:
        return dataset
    kind = dataset.kinds.index(GENERATED)
    return dataset.with_interactions(dataset.interactions.kinds != kind)


def _batches(n_users: int) -> list[Rows]:
    rows = np.arange(n_users, dtype=np.int32)
    return [rows[start : start + _BATCH] for start in range(0, n_users, _BATCH)]


def _standing(dataset: Dataset, rows: Rows, scored: Scored, items: NDArray[np.int64]) -> Floats:
    """Give float32 (B, M): how far each of M items stands above the others for each user."""
    scores = scored(Queries(rows, dataset.histories(rows)))[:, items]
    met = dataset.seen(rows)[:, items].toarray() != 0
    scores = np.where(met, np.float32(np.nan), scores)
    silent = np.isnan(scores)
    counts = np.maximum((~silent).sum(axis=1, keepdims=True), 1)
    filled = np.where(silent, 0, scores)
    centred = scores - filled.sum(axis=1, keepdims=True) / counts
    squares = np.where(silent, 0, centred) ** 2
    deviations = np.sqrt(squares.sum(axis=1, keepdims=True) / counts)
    flat = np.where(silent, np.float32(np.nan), np.float32(0))
    return np.divide(centred, deviations, out=flat, where=deviations > 0).astype(np.float32)


def _with_events(dataset: Dataset, users: Rows, items: Rows, weight: float) -> Dataset:
    """Put generated events before each user's own: the latest of a history is always real."""
    if GENERATED in dataset.kinds:
        raise DataError(
            "this dataset holds generated events already; take them away first with "
            "without_generated(dataset)"
        )
    order = np.argsort(users, kind="stable")
    offsets = offsets_of(np.bincount(users, minlength=dataset.n_users))
    own, events = dataset.interactions.histories, dataset.interactions
    first = _first_times(dataset)[users[order]] if own.times is not None else None
    weights = np.full(len(users), weight, dtype=np.float32)
    generated = Histories(offsets, items[order], weights, first)
    joined = generated.followed_by(own)
    is_generated = _generated_places(generated, own)
    kinds = np.full(len(joined.items), len(dataset.kinds), dtype=np.int16)
    values = np.full(len(joined.items), np.nan, dtype=np.float32)
    kinds[~is_generated] = events.kinds
    values[~is_generated] = events.values
    return replace(
        dataset,
        interactions=Interactions(joined, kinds, values),
        kinds=(*dataset.kinds, GENERATED),
    )


def _generated_places(generated: Histories, own: Histories) -> Mask:
    """Say which events of `generated.followed_by(own)` are generated, bool (n,)."""
    lengths = np.column_stack([generated.lengths, own.lengths]).ravel()
    halves = np.tile([True, False], len(own))
    return np.repeat(halves, lengths)


def _first_times(dataset: Dataset) -> NDArray[np.int64]:
    """Give the time of each user's first event; of who has none, the first of all, int64 (U,)."""
    own = dataset.interactions.histories
    times = np.zeros(0, dtype=np.int64) if own.times is None else own.times
    earliest = times.min(initial=np.iinfo(np.int64).max)
    first = np.full(dataset.n_users, earliest if len(times) else 0, dtype=np.int64)
    acted = own.lengths > 0
    first[acted] = times[own.offsets[:-1][acted]]
    return first
