"""A world whose every rank can be counted by hand, shared by the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from longtale.arrays import offsets_of
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.splits.split import Fold, Protocol, ProtocolName
from longtale.data.synthetic import dataset_of
from longtale.evaluate.accuracy import TargetRanks
from longtale.evaluate.harness import evaluate
from longtale.evaluate.measures import EvaluateSettings
from longtale.evaluate.report import Report
from longtale.seeds import generator

HISTORIES = [[0, 1], [0], [], [0, 1, 2, 3, 4, 5]]
TARGETS = [[2], [1, 6], [], [7]]
BANDS = np.array([0, 0, 1, 1, 2, 2, 3, 3], dtype=np.int8)
PROTOCOL = Protocol(
    ProtocolName.TIME, "time; seed 0; data abc; full ranking; seen masked; ties half"
)


def small_fold(**changed: object) -> Fold:
    """Four requests over eight items: one with a single target, one with two, one without."""
    queries = Queries(np.arange(4, dtype=np.int32), Histories.of(HISTORIES))
    parts = {
        "train": dataset_of(HISTORIES, n_items=8),
        "queries": queries,
        "targets": Histories.of(TARGETS),
        "seen": queries.histories.matrix(8),
    }
    return Fold(**{**parts, **changed})


def falling(queries: Queries) -> np.ndarray:
    """Item 0 is the best for everybody, item 7 the worst."""
    return np.tile(np.arange(8, 0, -1, dtype=np.float32), (len(queries), 1))


def models(queries: Queries) -> dict[str, np.ndarray]:
    """One model that ranks by row, one that ranks the other way round, one that says nothing."""
    return {
        "falling": falling(queries),
        "rising": -falling(queries),
        "silent": np.full((len(queries), 8), np.nan, dtype=np.float32),
    }


def report_of(fold: Fold | None = None, **settings: object) -> Report:
    wanted = {"ks": (2,), "n_bootstrap": 50, **settings}
    return evaluate(
        models,
        small_fold() if fold is None else fold,
        PROTOCOL,
        BANDS,
        EvaluateSettings(**wanted),
        rng=generator(0, "test"),
        item_vectors=np.eye(8, dtype=np.float32),
    )


def ranks_at(places: Sequence[Sequence[float]], n_ranked: int) -> TargetRanks:
    """Give the ranks of each user's targets in lists of so many items."""
    counts = np.array([len(row) for row in places], dtype=np.int64)
    flat = np.array([rank for row in places for rank in row], dtype=np.float64)
    return TargetRanks(offsets_of(counts), flat, np.full(len(counts), n_ranked, dtype=np.int64))
