"""The only place that knows every concrete class: which retrievers there are, how each is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats
from longtale.contracts import Retriever
from longtale.data.dataset import Dataset
from longtale.errors import BundleFormatError
from longtale.models.als import ALS
from longtale.models.ease import EASE
from longtale.models.item_knn import ItemKNN
from longtale.models.popular import Popular, Rising
from longtale.models.semantic import SemanticRetriever
from longtale.models.user_knn import UserKNN
from longtale.recommend.cost import Cost
from longtale.recommend.settings import ModelsSettings, RetrieverName

_CLASSES: Mapping[str, type[Retriever]] = {
    Popular.name: Popular,
    Rising.name: Rising,
    ItemKNN.name: ItemKNN,
    UserKNN.name: UserKNN,
    EASE.name: EASE,
    ALS.name: ALS,
    SemanticRetriever.name: SemanticRetriever,
}


def fit_retrievers(
    dataset: Dataset, vectors: Floats, settings: ModelsSettings, cost: Cost, *, purpose: str
) -> tuple[Retriever, ...]:
    """Fit the chosen retrievers.

    Args:
        dataset: all that they may see.
        vectors: float32 (N, D), whitened vectors of the items.
        settings: which retrievers, and the settings of each.
        cost: where the time is booked.
        purpose: what they are fitted for, to tell one stage from another.
    """
    fitted = []
    for name in settings.use:
        if name == "rising" and not dataset.has_times:
            continue
        with cost.stage(f"fit {name} for {purpose}"):
            fitted.append(fit_retriever(name, dataset, vectors, settings))
    return tuple(fitted)


def fit_retriever(
    name: RetrieverName, dataset: Dataset, vectors: Floats, settings: ModelsSettings
) -> Retriever:
    """Fit one retriever; see `fit_retrievers`."""
    match name:
        case "popular":
            return Popular.fit(dataset, settings.popular)
        case "rising":
            return Rising.fit(dataset, settings.rising)
        case "item_knn":
            return ItemKNN.fit(dataset, settings.item_knn)
        case "user_knn":
            return UserKNN.fit(dataset, settings.user_knn)
        case "ease":
            return EASE.fit(dataset, settings.ease)
        case "als":
            return ALS.fit(dataset, settings.als)
        case "semantic":
            return SemanticRetriever.fit(dataset, settings.semantic, vectors)


def newcomer_weights(sources: tuple[str, ...], meaning: float) -> Floats:
    """Give the weights for people without a history: meaning first, the rest popularity.

    Args:
        sources: names of the S sources.
        meaning: weight of the semantic source, 0 to 1.
    """
    popularity = [name in ("popular", "rising") for name in sources]
    weights = np.array(popularity, dtype=np.float32) * (1 - meaning) / max(sum(popularity), 1)
    weights[[name == "semantic" for name in sources]] = meaning
    total = weights.sum()
    even = np.full(len(sources), 1 / len(sources), dtype=np.float32)
    return weights / total if total > 0 else even


def restore_retriever(
    name: str, settings: Mapping[str, Any], state: Mapping[str, NDArray[np.generic]]
) -> Retriever:
    """Build a retriever again from a bundle.

    Raises:
        BundleFormatError: this Longtale has no retriever of that name.
    """
    if name not in _CLASSES:
        raise BundleFormatError(
            f"the bundle holds a retriever '{name}', this Longtale knows {sorted(_CLASSES)}; "
            "upgrade with: pip install -U longtale"
        )
    settings_class = type(getattr(ModelsSettings(), name))
    return _CLASSES[name].restore(settings_class.parse(settings), state)
