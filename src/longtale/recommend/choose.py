"""What the validation fold decides: settings of the parts, their weights and the gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from longtale.arrays import Floats
from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.evidence import item_evidence
from longtale.blend.gate import GatedBlend
from longtale.blend.hybrid import source_scores
from longtale.blend.learning import fit_blend
from longtale.blend.lists import Example, Lists
from longtale.contracts import Retriever
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, validation_fold
from longtale.encode.encoder import make_encoder
from longtale.errors import SplitError
from longtale.log import warn
from longtale.recommend.assemble import fit_retrievers, newcomer_weights
from longtale.recommend.cost import Advance, Cost
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.refine import refined
from longtale.recommend.settings import LongtaleSettings, ModelsSettings
from longtale.seeds import generator


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the validation fold decided, and the parts that were fitted to decide it."""

    models: ModelsSettings
    catalog: Catalog
    item_vectors: ItemVectors
    retrievers: tuple[Retriever, ...]
    blender: GatedBlend


def validated(dataset: Dataset, settings: LongtaleSettings, cost: Cost) -> Chosen | None:
    """Choose on interactions held out of a dataset; None where nobody has two different items."""
    try:
        fold = validation_fold(dataset, settings.split)
    except SplitError:
        n = len(dataset.interactions)
        warn("too few interactions to choose weights by: meaning leads", interactions=n)
        return None
    return choose(fold, settings, cost)


def choose(fold: Fold, settings: LongtaleSettings, cost: Cost) -> Chosen:
    """Fit the parts on a fold, and choose what they leave open by its requests."""
    item_vectors = encoded(fold.train, settings, cost)
    vectors, models = item_vectors.vectors, settings.models
    if models.refine:
        models = refined(models, fold, vectors, cost)
    retrievers = fit_retrievers(fold.train, vectors, models, cost, purpose="validation")
    blender = _fit_blend(retrievers, fold, settings, cost)
    return Chosen(models, fold.train.catalog, item_vectors, retrievers, blender)


def encoded(dataset: Dataset, settings: LongtaleSettings, cost: Cost) -> ItemVectors:
    """Turn the catalogue into vectors."""
    encoder = make_encoder(settings.encode)
    with cost.stage("encode", total=dataset.n_items) as advance:
        return ItemVectors.fit(
            dataset.catalog,
            encoder,
            prompt=settings.encode.prompt,
            whitening=settings.encode.whitening,
            on_progress=advance,
        )


def untried(
    retrievers: tuple[Retriever, ...], dataset: Dataset, settings: BlendSettings
) -> GatedBlend:
    """Give the blend of a dataset that holds nothing to choose by: all are newcomers."""
    weights = _newcomer_weights(retrievers, settings)
    return GatedBlend.flat(ConvexBlend(settings, weights, weights), item_evidence(dataset))


def _newcomer_weights(retrievers: tuple[Retriever, ...], settings: BlendSettings) -> Floats:
    sources = tuple(retriever.name for retriever in retrievers)
    return newcomer_weights(sources, settings.newcomer_meaning)


def _fit_blend(
    retrievers: tuple[Retriever, ...], fold: Fold, settings: LongtaleSettings, cost: Cost
) -> GatedBlend:
    with cost.stage("ask retrievers", total=len(fold.queries)) as advance:
        depth = settings.blend.depth
        lists = [Lists.of(each, depth) for each in _examples(retrievers, fold, advance)]
    with cost.stage("fit blend"):
        return fit_blend(
            Lists.concatenated(lists),
            item_evidence(fold.train),
            settings.blend,
            newcomer_weights=_newcomer_weights(retrievers, settings.blend),
            rng=generator(settings.split.seed, "gate"),
        )


def _examples(retrievers: tuple[Retriever, ...], fold: Fold, advance: Advance) -> Iterator[Example]:
    for batch in fold.batches():
        masked = batch.seen.toarray() != 0
        if fold.ranked is not None:
            masked |= ~fold.ranked
        scores = source_scores(retrievers, batch.queries, fold.train.n_items).scores
        yield Example(batch.queries, scores, batch.targets, masked)
        advance(len(batch))
