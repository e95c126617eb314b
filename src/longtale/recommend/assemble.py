"""The only place that knows every concrete class: which retrievers there are, how each is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats
from longtale.contracts import Retriever
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold
from longtale.errors import BundleFormatError, MissingExtraError
from longtale.log import warn
from longtale.models.als import ALS
from longtale.models.cold_map import ColdMap
from longtale.models.ease import EASE
from longtale.models.item_knn import ItemKNN
from longtale.models.popular import Popular, Rising
from longtale.models.semantic import SemanticRetriever
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import Plan
from longtale.models.sequence_linear import SequenceLinear
from longtale.models.text_ease import TextEASE
from longtale.models.user_knn import UserKNN
from longtale.recommend.cost import Cost
from longtale.recommend.settings import ModelsSettings, RetrieverName
from longtale.stages import Advance

_CLASSES: Mapping[str, type[Retriever]] = {
    Popular.name: Popular,
    Rising.name: Rising,
    ItemKNN.name: ItemKNN,
    UserKNN.name: UserKNN,
    EASE.name: EASE,
    TextEASE.name: TextEASE,
    SequenceLinear.name: SequenceLinear,
    ALS.name: ALS,
    ColdMap.name: ColdMap,
    "sequence": SequenceRetriever,
    "sequence_text": SequenceRetriever,
    SemanticRetriever.name: SemanticRetriever,
}


TRAINED: tuple[RetrieverName, ...] = ("sequence", "sequence_text")
"""Retrievers that are trained pass by pass, and so can be stopped early and resumed."""


@dataclass(frozen=True, eq=False)
class Fitting:
    """What retrievers are fitted with.

    Args:
        dataset: all that they may see.
        vectors: float32 (N, D), whitened vectors of the items.
        settings: which retrievers, and the settings of each.
        held_out: requests by which training is stopped early; None trains as set.
        checkpoints: folder in which training that was cut off goes on; None keeps nothing.
    """

    dataset: Dataset
    vectors: Floats
    settings: ModelsSettings
    held_out: Fold | None = None
    checkpoints: Path | None = None


def fit_retrievers(fitting: Fitting, cost: Cost, *, purpose: str) -> tuple[Retriever, ...]:
    """Fit the chosen retrievers; those that cannot be had here are left out and named.

    Args:
        fitting: with what.
        cost: where the time is booked.
        purpose: what they are fitted for, to tell one stage from another.
    """
    fitted = []
    for name in fitting.settings.use:
        if name == "rising" and not fitting.dataset.has_times:
            continue
        total = _passes(name, fitting) if name in TRAINED else None
        with cost.stage(f"fit {name} for {purpose}", total=total) as advance:
            try:
                fitted.append(fit_retriever(name, fitting, purpose=purpose, advance=advance))
            except MissingExtraError as error:
                warn("retriever left out", source=name, reason=str(error))
    return tuple(fitted)


def fit_retriever(
    name: RetrieverName, fitting: Fitting, *, purpose: str = "", advance: Advance | None = None
) -> Retriever:
    """Fit one retriever; see `fit_retrievers`."""
    dataset, vectors, settings = fitting.dataset, fitting.vectors, fitting.settings
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
        case "text_ease":
            return TextEASE.fit(dataset, settings.text_ease, vectors)
        case "sequence_linear":
            return SequenceLinear.fit(dataset, settings.sequence_linear)
        case "als":
            return ALS.fit(dataset, settings.als)
        case "cold_map":
            return ColdMap.fit(dataset, settings.cold_map, vectors)
        case "semantic":
            return SemanticRetriever.fit(dataset, settings.semantic, vectors)
        case "sequence" | "sequence_text":
            folder = fitting.checkpoints
            return SequenceRetriever.fit(
                dataset,
                getattr(settings, name),
                vectors,
                validation=fitting.held_out,
                checkpoint=None if folder is None else folder / f"{name}-{purpose}",
                on_progress=advance,
            )


def _passes(name: RetrieverName, fitting: Fitting) -> int:
    lengths = fitting.dataset.interactions.histories.lengths
    return Plan.of(getattr(fitting.settings, name), lengths).epochs


def is_reader(retriever: Retriever) -> bool:
    """Say whether it reads items' descriptions, and is fitted quickly."""
    return isinstance(retriever, TextEASE | ColdMap | SemanticRetriever)


def grown(retriever: Retriever, vectors: Floats, catalog: Catalog) -> Retriever:
    """Give the retriever that knows a catalogue with new items behind the others, if it can.

    Args:
        retriever: fitted to the first N items.
        vectors: float32 (N', D).
        catalog: N' items.
    """
    match retriever:
        case ColdMap():
            return retriever.with_vectors(vectors, catalog)
        case TextEASE() | SemanticRetriever() | SequenceRetriever():
            return retriever.with_vectors(vectors)
        case _:
            return retriever


def read_again(retriever: Retriever, vectors: Floats) -> Retriever:
    """Give the retriever that goes by new vectors of known items, if it goes by nothing else.

    Args:
        retriever: fitted to N items.
        vectors: float32 (N, D).
    """
    return (
        retriever.with_vectors(vectors) if isinstance(retriever, SemanticRetriever) else retriever
    )


def as_long(settings: ModelsSettings, retrievers: tuple[Retriever, ...]) -> ModelsSettings:
    """Give settings by which training stops after the passes that were best in validation."""
    changes = {
        r.name: r.settings.model_copy(update={"stop_after": r.n_best})
        for r in retrievers
        if isinstance(r, SequenceRetriever)
    }
    return settings.model_copy(update=changes)


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
