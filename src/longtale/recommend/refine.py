"""Settings judged on a validation fold; quality `best` walks through a few of them.

One setting after the other, each retriever alone, the value with the best nDCG stays. A short walk
over what matters most by measurement; it never sees the test. `recommend.tune` searches longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from longtale.arrays import Floats
from longtale.contracts import Retriever
from longtale.data.splits.folds import Fold
from longtale.evaluate.accuracy import TargetRanks, ndcg, target_ranks
from longtale.recommend.assemble import Fitting, fit_retriever
from longtale.recommend.cost import Cost
from longtale.recommend.settings import ModelsSettings, RetrieverName
from longtale.settings import Settings

_S = TypeVar("_S", bound=Settings)
_TRIED: Sequence[tuple[RetrieverName, str, tuple[float, ...]]] = (
    ("rising", "half_life_days", (7, 30, 90)),
    ("item_knn", "half_life", (1, 2, 5, 20)),
    ("user_knn", "half_life", (1, 2, 5, 20)),
    ("ease", "half_life", (2, 5, 20)),
    ("ease", "l2", (100, 300, 1000)),
    ("als", "half_life", (2, 5, 20)),
    ("als", "regularization", (1, 10, 30)),
    ("semantic", "half_life", (1, 2, 5, 20)),
    ("semantic", "profile_length", (5, 20, 100)),
)
CUTOFF = 10


def refined(settings: ModelsSettings, fold: Fold, vectors: Floats, cost: Cost) -> ModelsSettings:
    """Give the settings that do best on a validation fold.

    Args:
        settings: where the walk starts; its own values are tried too.
        fold: fitted on `fold.train`, judged by `fold.targets`.
        vectors: float32 (N, D), whitened vectors of the items.
        cost: where the time is booked.
    """
    for name, key, values in _TRIED:
        if name not in settings.use or (name == "rising" and not fold.train.has_times):
            continue
        own = getattr(getattr(settings, name), key)
        tried = [own, *(value for value in values if value != own)]
        reached = []
        with cost.stage(f"refine {name}.{key}", total=len(tried)) as advance:
            for value in tried:
                trial = changed(settings, f"{name}.{key}", value)
                fitted = fit_retriever(name, Fitting(fold.train, vectors, trial))
                reached.append(quality(fitted, fold))
                advance(1)
        settings = changed(settings, f"{name}.{key}", tried[int(np.argmax(reached))])
    return settings


def changed(settings: _S, key: str, value: object) -> _S:
    """Give settings with another value at a dotted key, such as `cold_map.teacher.factors`."""
    first, _, rest = key.partition(".")
    inner = changed(getattr(settings, first), rest, value) if rest else value
    return settings.model_copy(update={first: inner})


def with_values(settings: _S, values: Mapping[str, object]) -> _S:
    """Give settings with other values at several dotted keys."""
    for key, value in values.items():
        settings = changed(settings, key, value)
    return settings


def quality(retriever: Retriever, fold: Fold) -> float:
    """Give the mean nDCG@10 of a retriever alone, on full ranking."""
    return float(np.nanmean(ndcg(ranks_of(retriever, fold), CUTOFF)))


def ranks_of(retriever: Retriever, fold: Fold) -> TargetRanks:
    """Find where a retriever alone puts the targets of each request, on full ranking."""
    found = []
    for batch in fold.batches():
        scores = retriever.scores(batch.queries)
        found.append(target_ranks(scores, batch.targets, masked=batch.seen, ranked=batch.ranked))
    return TargetRanks.concatenated(found)
