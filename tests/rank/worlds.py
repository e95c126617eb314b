"""Small worlds for the learning part of `rank`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from longtale.arrays import unit_rows
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.synthetic import generated
from longtale.rank.evidence import ItemEvidence
from longtale.rank.examples import Judged
from longtale.rank.features import Scored
from longtale.seeds import generator

N_ITEMS = 60
SOURCES = ("first", "second")


def world(seed: int = 0) -> Dataset:
    """Give a world with times, genres and some items that nobody has touched."""
    rng = generator(seed, "rank world")
    dataset = generated(rng, 40, N_ITEMS, 400)
    years = rng.integers(1950, 2020, size=N_ITEMS)
    frame = dataset.catalog.frame.with_columns(year=years, film_id=np.arange(N_ITEMS))
    dataset = replace(dataset, catalog=replace(dataset.catalog, frame=frame))
    return dataset.with_interactions(dataset.interactions.items % 9 != 0)


def evidence_of(dataset: Dataset) -> ItemEvidence:
    vectors = unit_rows(generator(3, "vectors").normal(size=(N_ITEMS, 8)).astype(np.float32))
    vectors[5] = 0
    return ItemEvidence.of(dataset, vectors)


def queries_of(dataset: Dataset, n: int) -> Queries:
    """Give requests, the first of them without a history."""
    users = np.arange(-1, n - 1, dtype=np.int32)
    asked_at = np.full(n, dataset.interactions.times.max() + 10**9, dtype=np.int64)
    return Queries(users, dataset.histories(users), times=asked_at)


def scored_of(n: int, seed: int = 0) -> Scored:
    """Give two sources, one of which does not know each seventh item, and their sum."""
    rng = generator(seed, "scores")
    scores = rng.normal(size=(2, n, N_ITEMS)).astype(np.float32)
    blended = scores.sum(axis=0)
    scores[1, :, ::7] = np.nan
    return Scored(SOURCES, scores, blended)


def lesson(n: int, *, seed: int = 0, telling: float = 3.0) -> Judged:
    """Give requests whose blend trusts both sources alike, though only the first knows.

    Args:
        n: requests.
        seed: of all draws.
        telling: how much higher the first source scores what comes next.
    """
    dataset = world()
    queries = queries_of(dataset, 40).take(np.arange(n) % 40)
    rng = generator(seed, "lesson")
    targets = rng.integers(N_ITEMS, size=n)
    scores = rng.normal(size=(2, n, N_ITEMS)).astype(np.float32)
    scores[0, np.arange(n), targets] += np.float32(telling)
    scored = Scored(SOURCES, scores, scores.sum(axis=0))
    masked = np.zeros((n, N_ITEMS), dtype=np.bool_)
    return Judged(queries, scored, Histories.of([[t] for t in targets]), masked)
