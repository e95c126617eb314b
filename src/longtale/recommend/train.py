"""From a dataset to a recommender, and from a dataset to honest figures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

from longtale import log
from longtale.blend.evidence import item_evidence
from longtale.blend.hybrid import Hybrid
from longtale.data.dataset import Dataset
from longtale.data.splits.bands import bands
from longtale.data.splits.split import ProtocolName, split
from longtale.evaluate.harness import evaluate
from longtale.evaluate.report import Report
from longtale.recommend.assemble import fit_retrievers
from longtale.recommend.choose import choose, encoded, untried, validated
from longtale.recommend.cost import Cost, Progress
from longtale.recommend.pipeline import Recommender
from longtale.recommend.settings import LongtaleSettings, Quality
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
    chosen = validated(dataset, settings, cost)
    if chosen is not None and chosen.catalog is dataset.catalog:
        item_vectors = chosen.item_vectors
    else:
        item_vectors = encoded(dataset, settings, cost)
    models = settings.models if chosen is None else chosen.models
    retrievers = fit_retrievers(dataset, item_vectors.vectors, models, cost, purpose="answering")
    if chosen is None:
        blender = untried(retrievers, dataset, settings.blend)
    else:
        blender = replace(chosen.blender, items=item_evidence(dataset))
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
    chosen = choose(cut.validation, settings, cost)
    item_vectors, retrievers, blender = chosen.item_vectors, chosen.retrievers, chosen.blender
    if cut.test.train is not cut.validation.train:
        item_vectors = encoded(cut.test.train, settings, cost)
        retrievers = fit_retrievers(
            cut.test.train, item_vectors.vectors, chosen.models, cost, purpose="test"
        )
        blender = replace(blender, items=item_evidence(cut.test.train))
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


def _chosen(settings: LongtaleSettings | None, quality: Quality | str) -> LongtaleSettings:
    settings = LongtaleSettings() if settings is None else settings
    return settings.for_quality(Quality(quality))


def _version(dataset: Dataset, settings: LongtaleSettings) -> str:
    content = dataset.fingerprint + settings.model_dump_json()
    return hashlib.sha256(content.encode()).hexdigest()[:12]
