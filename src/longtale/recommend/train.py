"""From a dataset to a recommender, and from a dataset to honest figures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from longtale import log
from longtale.arrays import Floats
from longtale.blend.hybrid import Hybrid, source_scores
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.splits.bands import bands
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.evaluate.harness import evaluate
from longtale.evaluate.report import Report
from longtale.rank.evidence import ItemEvidence
from longtale.recommend.assemble import Fitting, fit_retrievers
from longtale.recommend.choose import Chosen, choose, encoded, untried, validated
from longtale.recommend.cost import Cost, Progress
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.pipeline import Recommender
from longtale.recommend.screen import met
from longtale.recommend.searching import kept_index
from longtale.recommend.settings import LongtaleSettings, Quality
from longtale.recommend.slating import Said, Slating
from longtale.recommend.workshop.made import warn_of_known_answers
from longtale.seeds import generator


def train(
    dataset: Dataset,
    settings: LongtaleSettings | None = None,
    *,
    quality: Quality | str = Quality.BALANCED,
    progress: Progress | None = None,
    checkpoints: Path | None = None,
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
        checkpoints: folder in which training that was cut off goes on; None keeps nothing.
    """
    settings = _chosen(settings, quality)
    cost = Cost(progress)
    if not len(dataset.interactions):
        models = settings.models.model_copy(update={"use": ("semantic",)})
        settings = settings.model_copy(update={"models": models})
    chosen = validated(dataset, settings, cost, checkpoints)
    if chosen is None:
        item_vectors = encoded(dataset, settings, cost)
        fitting = Fitting(dataset, item_vectors.vectors, settings.models)
        retrievers = fit_retrievers(fitting, cost, purpose="answering")
        hybrid = Hybrid(retrievers, untried(retrievers, dataset, settings.blend))
    else:
        item_vectors, hybrid = fitted_again(
            chosen, dataset, settings, cost, purpose="answering", checkpoints=checkpoints
        )
    ranker = None if chosen is None else chosen.ranker
    return Recommender(
        dataset,
        item_vectors,
        hybrid,
        _version(dataset, settings),
        settings.slate,
        ranker,
        search_index=kept_index(item_vectors, settings.search),
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
    warn_of_known_answers(settings.encode.model, protocol)
    cost = Cost(progress)
    cut = split(dataset, ProtocolName(protocol), settings.split)
    log.info("cut dataset", stamp=cut.protocol.stamp, requests=len(cut.test))
    chosen = choose(cut.validation, settings, cost)
    item_vectors, hybrid = chosen.item_vectors, chosen.hybrid
    if cut.test.train is not cut.validation.train:
        item_vectors, hybrid = fitted_again(chosen, cut.test.train, settings, cost, purpose="test")
    evidence = ItemEvidence.of(cut.test.train, item_vectors.vectors)
    slating = Slating(settings.slate, evidence, chosen.ranker)
    with cost.stage("evaluate", total=len(cut.test)) as advance:
        report = evaluate(
            partial(scores_of_models, hybrid, slating, cut.test),
            cut.test,
            cut.protocol,
            bands(cut.test.train),
            settings.evaluate,
            rng=generator(settings.split.seed, "bootstrap"),
            item_vectors=item_vectors.vectors,
            on_progress=advance,
        )
    return replace(report, cost=cost.as_dict())


def fitted_again(
    chosen: Chosen,
    dataset: Dataset,
    settings: LongtaleSettings,
    cost: Cost,
    *,
    purpose: str,
    checkpoints: Path | None = None,
) -> tuple[ItemVectors, Hybrid]:
    """Fit all that was chosen on more data; weights, gate and order stay."""
    item_vectors = chosen.item_vectors
    if chosen.catalog is not dataset.catalog:
        item_vectors = encoded(dataset, settings, cost)
    fitting = Fitting(dataset, item_vectors.vectors, chosen.models, checkpoints=checkpoints)
    retrievers = fit_retrievers(fitting, cost, purpose=purpose)
    return item_vectors, Hybrid(retrievers, chosen.hybrid.blender.knowing(dataset))


def scores_of_models(
    hybrid: Hybrid, slating: Slating, fold: Fold, queries: Queries
) -> dict[str, Floats]:
    """Give the scores of what is served, of its blend before the ranker, and of each source."""
    scores = source_scores(hybrid.retrievers, queries, fold.train.n_items).scores
    contributions = hybrid.blender.contributions(queries, scores)
    found = {"blend": contributions.sum(axis=0)}
    if slating.ranker is not None:
        excluded = met(fold.train, queries)
        if fold.ranked is not None:
            excluded |= ~fold.ranked
        unused = ~hybrid.blender.uses(queries)
        heard = np.where(unused[:, None, None], np.float32(np.nan), scores)
        said = Said(hybrid.sources, heard, contributions, ())
        ranked = found["blend"] + slating.ranked(slating.ranker, queries, said, excluded)
        found = {"blend": ranked, "unranked": found["blend"]}
    return {**found, **dict(zip(hybrid.sources, scores, strict=True))}


def _chosen(settings: LongtaleSettings | None, quality: Quality | str) -> LongtaleSettings:
    settings = LongtaleSettings() if settings is None else settings
    return settings.for_quality(Quality(quality))


def _version(dataset: Dataset, settings: LongtaleSettings) -> str:
    content = dataset.fingerprint + settings.model_dump_json()
    return hashlib.sha256(content.encode()).hexdigest()[:12]
