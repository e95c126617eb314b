"""Which metrics there are, by name, and all those that are asked for at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from longtale.arrays import Floats, Mask, Rows
from longtale.data.dataset import Dataset
from longtale.data.splits.bands import BANDS
from longtale.errors import did_you_mean
from longtale.evaluate import accuracy, beyond_accuracy
from longtale.evaluate.accuracy import TargetRanks, Values
from longtale.schema import Band
from longtale.settings import Settings

_AT_K: Mapping[str, Callable[[TargetRanks, int], Values]] = MappingProxyType(
    {
        "ndcg": accuracy.ndcg,
        "recall": accuracy.recall,
        "precision": accuracy.precision,
        "f1": accuracy.f1,
        "hit_rate": accuracy.hit_rate,
        "mrr": accuracy.reciprocal_rank,
        "map": accuracy.average_precision,
    }
)
ACCURACY = (*_AT_K, "auc")
OF_LISTS = ("novelty", "diversity", "popularity", "tail_share")
TOGETHER = ("coverage", "gini")
METRICS = (*ACCURACY, *TOGETHER, *OF_LISTS)


class EvaluateSettings(Settings):
    """What is measured, and how sure the numbers are to be."""

    ks: tuple[int, ...] = Field(default=(10,), min_length=1)
    """Lengths of the list at which the metrics are taken."""
    metrics: tuple[str, ...] = Field(default=METRICS, min_length=1)
    """Which metrics; `auc` is of the whole ranking, all others are taken at each length."""
    n_bootstrap: int = Field(default=1000, ge=0, le=100_000)
    """How often the users are drawn again for the intervals; 0 gives none."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Probability that an interval is to hold."""
    batch: int = Field(default=256, ge=1, le=65_536)
    """How many requests are scored at once; more is not faster, and takes more memory."""

    @field_validator("ks")
    @classmethod
    def _positive(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        if min(ks) < 1:
            raise ValueError(f"a list has at least 1 place, not {min(ks)}")
        return tuple(sorted(set(ks)))

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        for name in metrics:
            if name not in METRICS:
                hint = did_you_mean(name, METRICS)
                raise ValueError(f"unknown metric '{name}'; allowed are {', '.join(METRICS)}{hint}")
        return tuple(dict.fromkeys(metrics))


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """What the metrics beyond accuracy must know about the N items.

    Args:
        n_consumers: (N,), users who interacted with each item in the training data.
        n_interactions: (N,), interactions of each item there.
        n_users: users who interacted with anything there.
        is_tail: bool (N,), of the tail or new.
        shown: bool (N,), items that could stand in a list.
        vectors: float32 (N, D), or None.
    """

    n_consumers: NDArray[np.int64]
    n_interactions: NDArray[np.int64]
    n_users: int
    is_tail: Mask
    shown: Mask
    vectors: Floats | None

    @classmethod
    def of(
        cls,
        train: Dataset,
        bands: NDArray[np.int8],
        ranked: Mask | None,
        vectors: Floats | None,
    ) -> Self:
        """Count what the training data says; `ranked` is None where all items can be shown."""
        return cls(
            np.bincount(train.matrix().indices, minlength=train.n_items),
            train.item_counts,
            int(np.count_nonzero(train.interactions.histories.lengths)),
            np.isin(bands, [BANDS.index(band) for band in (Band.TAIL, Band.NEW)]),
            np.ones(train.n_items, dtype=np.bool_) if ranked is None else ranked,
            vectors,
        )


def accuracy_of_ranks(ranks: TargetRanks, settings: EvaluateSettings) -> dict[str, Values]:
    """Give the wanted metrics of accuracy by their full name, such as `ndcg@10`, each (B,)."""
    found = {
        f"{name}@{k}": _AT_K[name](ranks, k)
        for k in settings.ks
        for name in settings.metrics
        if name in _AT_K
    }
    if "auc" in settings.metrics:
        found["auc"] = accuracy.auc(ranks)
    return found


def qualities_of_lists(
    items: Rows, facts: ItemFacts, settings: EvaluateSettings
) -> dict[str, Values]:
    """Give the wanted metrics of single lists by their full name, each (B,).

    Args:
        items: int32 (B, K), -1 is padding, K at least the largest k or the whole catalogue.
        facts: about the N items.
        settings: which metrics, at which k.
    """
    found: dict[str, Values] = {}
    for k in settings.ks:
        first = items[:, :k]
        for name in settings.metrics:
            if name == "novelty":
                values = beyond_accuracy.novelty(first, facts.n_consumers, facts.n_users)
            elif name == "popularity":
                values = beyond_accuracy.popularity(first, facts.n_interactions)
            elif name == "tail_share":
                values = beyond_accuracy.tail_share(first, facts.is_tail)
            elif name == "diversity" and facts.vectors is not None:
                values = beyond_accuracy.diversity(first, facts.vectors)
            else:
                continue
            found[f"{name}@{k}"] = values
    return found


def qualities_together(
    items: Rows, facts: ItemFacts, settings: EvaluateSettings
) -> dict[str, float]:
    """Give the wanted metrics of all lists together by their full name."""
    found = {}
    for k in settings.ks:
        exposure = beyond_accuracy.exposures(items[:, :k], len(facts.shown))[facts.shown]
        if "coverage" in settings.metrics:
            found[f"coverage@{k}"] = beyond_accuracy.coverage(exposure)
        if "gini" in settings.metrics:
            found[f"gini@{k}"] = beyond_accuracy.gini(exposure)
    return found
