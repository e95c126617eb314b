"""From a dataset to a recommender, and from a dataset to honest figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from longtale.blend.convex import BlendSettings, ConvexBlend, Example
from longtale.blend.hybrid import Hybrid, source_scores
from longtale.contracts import Retriever
from longtale.data.dataset import Dataset
from longtale.data.splits.bands import bands
from longtale.data.splits.split import Fold, ProtocolName, split, validation_fold
from longtale.encode.encoder import make_encoder
from longtale.evaluate.harness import evaluate
from longtale.evaluate.report import Report
from longtale.recommend.assemble import fit_retrievers, newcomer_weights
from longtale.recommend.cost import Advance, Cost, Progress
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.pipeline import Recommender
from longtale.recommend.settings import LongtaleSettings, Quality
from longtale.seeds import generator

_BATCH = 256
"""Requests that are scored at once: 256 x 12k items x 7 sources are 86 MB."""


def train(
    dataset: Dataset,
    settings: LongtaleSettings | None = None,
    *,
    quality: Quality | str = Quality.BALANCED,
    progress: Progress | None = None,
) -> Recommender:
    """Train a recommender on all that is known.

    The weights of the blend are chosen on interactions held out from the retrievers; then the
    retrievers are fitted again on everything.

    Args:
        dataset: catalogue, users and events.
        settings: all settings; None takes the defaults.
        quality: fast, balanced or best.
        progress: shows how far it is; None shows nothing.
    """
    settings = _chosen(settings, quality)
    cost = Cost(progress)
    fold = validation_fold(dataset, settings.split)
    _, trial = _fit(fold.train, settings, cost, "validation")
    blender = _fit_blend(trial, fold, settings.blend, cost)
    item_vectors, retrievers = _fit(dataset, settings, cost, "answering")
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
    item_vectors, retrievers = _fit(cut.validation.train, settings, cost, "validation")
    blender = _fit_blend(retrievers, cut.validation, settings.blend, cost)
    if cut.test.train is not cut.validation.train:
        item_vectors, retrievers = _fit(cut.test.train, settings, cost, "test")
    hybrid = Hybrid(retrievers, blender)
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


def _fit(
    dataset: Dataset, settings: LongtaleSettings, cost: Cost, purpose: str
) -> tuple[ItemVectors, tuple[Retriever, ...]]:
    item_vectors = _encode(dataset, settings, cost)
    vectors = item_vectors.vectors
    return item_vectors, fit_retrievers(dataset, vectors, settings.models, cost, purpose=purpose)


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


def _fit_blend(
    retrievers: tuple[Retriever, ...], fold: Fold, settings: BlendSettings, cost: Cost
) -> ConvexBlend:
    sources = tuple(retriever.name for retriever in retrievers)
    newcomers = newcomer_weights(sources, settings.newcomer_meaning)
    with cost.stage("fit blend", total=len(fold.queries)) as advance:
        examples = _examples(retrievers, fold, advance)
        return ConvexBlend.fit(examples, settings, newcomer_weights=newcomers)


def _examples(retrievers: tuple[Retriever, ...], fold: Fold, advance: Advance) -> Iterator[Example]:
    for start in range(0, len(fold.queries), _BATCH):
        chosen = np.arange(start, min(start + _BATCH, len(fold.queries)))
        queries = fold.queries.take(chosen)
        masked = fold.seen[chosen].toarray() != 0
        if fold.ranked is not None:
            masked |= ~fold.ranked
        scores = source_scores(retrievers, queries, fold.train.n_items).scores
        yield Example(queries, scores, fold.targets.take(chosen), masked)
        advance(len(chosen))


def _chosen(settings: LongtaleSettings | None, quality: Quality | str) -> LongtaleSettings:
    settings = LongtaleSettings() if settings is None else settings
    return settings.for_quality(Quality(quality))


def _version(dataset: Dataset, settings: LongtaleSettings) -> str:
    content = dataset.fingerprint + settings.model_dump_json()
    return hashlib.sha256(content.encode()).hexdigest()[:12]
