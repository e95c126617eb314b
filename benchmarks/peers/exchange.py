"""The folder through which a split goes to a peer's process, and its answer comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from longtale.arrays import Rows
from longtale.data.splits.bands import BANDS, bands
from longtale.data.splits.split import Fold, Split
from longtale.evaluate.accuracy import TargetRanks, Values
from longtale.evaluate.measures import (
    EvaluateSettings,
    ItemFacts,
    accuracy_of_ranks,
    qualities_together,
)
from longtale.schema import Band

METRICS = ("ndcg@10", "recall@10", "tail recall@10", "coverage@10")
_SETTINGS = EvaluateSettings(metrics=("ndcg", "recall", "coverage"))


def write_split(cut: Split, folder: Path) -> None:
    """Write both folds, as the class `Task` of the runners says."""
    for name, fold in (("validation", cut.validation), ("test", cut.test)):
        if fold.ranked is not None:
            raise SystemExit(f"peers rank the whole catalogue; '{cut.protocol.name}' asks for less")
        np.savez(folder / f"{name}.npz", **arrays_of(fold))


def arrays_of(fold: Fold) -> dict[str, np.ndarray]:
    known, asked = fold.train.interactions.histories, fold.queries.histories
    return {
        "n_items": np.array(fold.train.n_items),
        "offsets": known.offsets,
        "items": known.items,
        "users": fold.queries.user_rows,
        "query_offsets": asked.offsets,
        "query_items": asked.items,
        "target_offsets": fold.targets.offsets,
        "target_items": fold.targets.items,
        "seen_offsets": fold.seen.indptr.astype(np.int64),
        "seen_items": fold.seen.indices,
    }


@dataclass(frozen=True, eq=False)
class Measured:
    """What a model is worth and what it costs.

    Args:
        name: who it is.
        values: each of `METRICS`.
        per_user: nDCG@10 of each request, float64 (B,).
        cost: as the runner wrote it; what is not known is missing.
    """

    name: str
    values: Mapping[str, float]
    per_user: Values
    cost: Mapping[str, Any]


def read_answer(name: str, fold: Fold, out: Path) -> Measured:
    """Score what a runner wrote with Longtale's own metrics."""
    with np.load(out.with_suffix(".npz")) as arrays:
        ranks = TargetRanks(fold.targets.offsets, arrays["ranks"], arrays["n_ranked"])
        values, per_user = scored(fold, ranks, arrays["lists"])
    return Measured(name, values, per_user, json.loads(out.with_suffix(".json").read_text()))


def scored(fold: Fold, ranks: TargetRanks, lists: Rows) -> tuple[dict[str, float], Values]:
    """Give each of `METRICS`, and nDCG@10 of each request."""
    codes = bands(fold.train)
    is_tail = codes[fold.targets.items] == BANDS.index(Band.TAIL)
    overall = accuracy_of_ranks(ranks, _SETTINGS)
    tail = accuracy_of_ranks(ranks.where(is_tail), _SETTINGS)
    facts = ItemFacts.of(fold.train, codes, None, None)
    together = qualities_together(lists, facts, _SETTINGS)
    values = {name: float(overall[name].mean()) for name in METRICS[:2]}
    values["tail recall@10"] = float(np.nanmean(tail["recall@10"]))
    return values | {"coverage@10": together["coverage@10"]}, overall["ndcg@10"]
