"""From a dataset to a recommender, and from a dataset to honest figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from longtale import log
from longtale.arrays import Floats
from longtale.blend.convex import BlendSettings, ConvexBlend, Example
from longtale.blend.hybrid import Hybrid, source_scores
from longtale.contracts import Retriever
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.splits.bands import bands
from longtale.data.splits.split import Fold, ProtocolName, split, validation_fold
from longtale.encode.encoder import make_encoder
from longtale.errors import SplitError
from longtale.evaluate.harness import evaluate
from longtale.evaluate.report import Report
from longtale.log import warn
from longtale.recommend.assemble import fit_retrievers, newcomer_weights
from longtale.recommend.cost import Advance, Cost, Progress
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.pipeline import Recommender
from longtale.recommend.refine import refined
from longtale.recommend.settings import LongtaleSettings, ModelsSettings, Quality
from longtale.seeds import generator


def train(
    dataset: Dataset,
    settings: LongtaleSettings | None = None,
    *,
    quality: Quality | str = Quality.BALANCED,
    progress: Progress | None = None,
) -> Recommender:
    """Train a recommender on all that is known.

    The weights of the blend are chosen on interactions held out from the retrievers; then the
    retrievers are fitted again on everything. Where nobody has two different items to choose by,
    all get the weights of newcomers: meaning leads. A catalogue without any interaction gives a
    recommender that goes by words alone.

    Args:
        dataset: catalogue, users and events.
        settings: all settings; None takes the defaults.
        quality: fast (fewer retrievers), balanced, or best (refines the retrievers' settings).
        progress: shows how far it is; None shows nothing.
    """
    settings = _chosen(settings, quality)
    cost = Cost(progress)
    if not len(dataset.interactions):
        models = settings.models.model_copy(update={"use": ("semantic",)})
        settings = settings.model_copy(update={"models": models})
    chosen = _validated(dataset, settings, cost)
    if chosen is not None and chosen.catalog is dataset.catalog:
        item_vectors = chosen.item_vectors
    else:
        item_vectors = _encode(dataset, settings, cost)
    models = settings.models if chosen is None else chosen.models
    retrievers = fit_retrievers(dataset, item_vectors.vectors, models, cost, purpose="answering")
    blender = _untried(retrievers, settings.blend) if chosen is None else chosen.blender
    return Recommender(
        dataset, item_vectors, Hybrid(retrievers, blender), _version(dataset, settings)
    )


def measure(
    dataset: Dataset,
    protocol: ProtocolName | str = ProtocolName.REFIT,
    settings: LongtaleSettings | None = None,
    *,
    quality: Quality | str = Quality.BALANCED,
    progress: Progress | None = None,
) -> Report:
    """Measure the blend and each of its parts under one protocol, on full ranking.

    Args:
        dataset: catalogue, users and events.
        protocol: refit, strict, time, cold-items or cold-users.
        settings: all settings; None takes the defaults.
        quality: fast, balanced or best.
        progress: shows how far it is; None shows nothing.

    Raises:
        SplitError: the data cannot be cut as the protocol asks.
    """
    settings = _chosen(settings, quality)
    cost = Cost(progress)
    cut = split(dataset, ProtocolName(protocol), settings.split)
    log.info("cut dataset", stamp=cut.protocol.stamp, requests=len(cut.test))
    chosen = _choose(cut.validation, settings, cost)
    item_vectors, retrievers = chosen.item_vectors, chosen.retrievers
    if cut.test.train is not cut.validation.train:
        item_vectors = _encode(cut.test.train, settings, cost)
        retrievers = fit_retrievers(
            cut.test.train, item_vectors.vectors, chosen.models, cost, purpose="test"
        )
    hybrid = Hybrid(retrievers, chosen.blender)
    with cost.stage("evaluate", total=len(cut.test)) as advance:
        report = evaluate(
            partial(hybrid.models, n_items=dataset.n_items),
            cut.test,
            cut.protocol,
            bands(cut.test.train),
            settings.evaluate,
            rng=generator(settings.split.seed, "bootstrap"),
            item_vectors=item_vectors.vectors,
            on_progress=advance,
        )
    return replace(report, cost=cost.as_dict())


@dataclass(frozen=True, eq=False)
class _Chosen:
    """What the validation fold decided, and the parts that were fitted to decide it."""

    models: ModelsSettings
    catalog: Catalog
    item_vectors: ItemVectors
    retrievers: tuple[Retriever, ...]
    blender: ConvexBlend


def _validated(dataset: Dataset, settings: LongtaleSettings, cost: Cost) -> _Chosen | None:
    try:
        fold = validation_fold(dataset, settings.split)
    except SplitError:
        n = len(dataset.interactions)
        warn("too few interactions to choose weights by: meaning leads", interactions=n)
        return None
    return _choose(fold, settings, cost)


def _choose(fold: Fold, settings: LongtaleSettings, cost: Cost) -> _Chosen:
    item_vectors = _encode(fold.train, settings, cost)
    vectors, models = item_vectors.vectors, settings.models
    if models.refine:
        models = refined(models, fold, vectors, cost)
    retrievers = fit_retrievers(fold.train, vectors, models, cost, purpose="validation")
    blender = _fit_blend(retrievers, fold, settings.blend, cost)
    return _Chosen(models, fold.train.catalog, item_vectors, retrievers, blender)


def _encode(dataset: Dataset, settings: LongtaleSettings, cost: Cost) -> ItemVectors:
    encoder = make_encoder(settings.encode)
    with cost.stage("encode", total=dataset.n_items) as advance:
        return ItemVectors.fit(
            dataset.catalog,
            encoder,
            prompt=settings.encode.prompt,
            whitening=settings.encode.whitening,
            on_progress=advance,
        )


def _untried(retrievers: tuple[Retriever, ...], settings: BlendSettings) -> ConvexBlend:
    weights = _newcomer_weights(retrievers, settings)
    return ConvexBlend(settings, weights, weights)


def _newcomer_weights(retrievers: tuple[Retriever, ...], settings: BlendSettings) -> Floats:
    sources = tuple(retriever.name for retriever in retrievers)
    return newcomer_weights(sources, settings.newcomer_meaning)


def _fit_blend(
    retrievers: tuple[Retriever, ...], fold: Fold, settings: BlendSettings, cost: Cost
) -> ConvexBlend:
    newcomers = _newcomer_weights(retrievers, settings)
    with cost.stage("fit blend", total=len(fold.queries)) as advance:
        examples = _examples(retrievers, fold, advance)
        return ConvexBlend.fit(examples, settings, newcomer_weights=newcomers)


def _examples(retrievers: tuple[Retriever, ...], fold: Fold, advance: Advance) -> Iterator[Example]:
    for batch in fold.batches():
        masked = batch.seen.toarray() != 0
        if fold.ranked is not None:
            masked |= ~fold.ranked
        scores = source_scores(retrievers, batch.queries, fold.train.n_items).scores
        yield Example(batch.queries, scores, batch.targets, masked)
        advance(len(batch))


def _chosen(settings: LongtaleSettings | None, quality: Quality | str) -> LongtaleSettings:
    settings = LongtaleSettings() if settings is None else settings
    return settings.for_quality(Quality(quality))


def _version(dataset: Dataset, settings: LongtaleSettings) -> str:
    content = dataset.fingerprint + settings.model_dump_json()
    return hashlib.sha256(content.encode()).hexdigest()[:12]
