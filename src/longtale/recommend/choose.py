"""What the validation fold decides: settings of the parts, their weights and the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from longtale import log
from longtale.arrays import Floats
from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.evidence import item_evidence
from longtale.blend.gate import GatedBlend
from longtale.blend.hybrid import Hybrid, SourceScores, source_scores
from longtale.blend.learning import fit_blend
from longtale.blend.lists import Example, Lists
from longtale.contracts import Retriever
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.splits.folds import shortened
from longtale.data.splits.split import Fold, validation_fold
from longtale.encode.encoder import make_encoder
from longtale.errors import MissingExtraError, SplitError
from longtale.log import warn
from longtale.rank.evidence import ItemEvidence
from longtale.rank.examples import Examples, Judged
from longtale.rank.features import Scored
from longtale.rank.ranker import Ranker
from longtale.recommend.assemble import Fitting, as_long, fit_retrievers, newcomer_weights
from longtale.recommend.cost import Advance, Cost
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.refine import refined
from longtale.recommend.settings import LongtaleSettings, ModelsSettings, SlateSettings
from longtale.seeds import generator

_SHORT = 5
"""Events after which a newcomer is one no more."""
_SHORT_PART = 4
"""One in so many validation requests is also asked as a newcomer's."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the validation fold decided, and the parts that were fitted to decide it.

    Args:
        models: settings with which the parts are to be fitted again.
        catalog: the catalogue that the item vectors are of.
        item_vectors: the items' meaning.
        hybrid: retrievers that know the fold's training part, and their blend.
        ranker: learned order; None where none was tried.
    """

    models: ModelsSettings
    catalog: Catalog
    item_vectors: ItemVectors
    hybrid: Hybrid
    ranker: Ranker | None


def validated(
    dataset: Dataset, settings: LongtaleSettings, cost: Cost, checkpoints: Path | None = None
) -> Chosen | None:
    """Choose on interactions held out of a dataset; None where nobody has two different items."""
    try:
        fold = validation_fold(dataset, settings.split)
    except SplitError:
        n = len(dataset.interactions)
        warn("too few interactions to choose weights by: meaning leads", interactions=n)
        return None
    return choose(fold, settings, cost, checkpoints)


def choose(
    fold: Fold, settings: LongtaleSettings, cost: Cost, checkpoints: Path | None = None
) -> Chosen:
    """Fit the parts on a fold, and choose what they leave open by its requests."""
    item_vectors = encoded(fold.train, settings, cost)
    vectors, models = item_vectors.vectors, settings.models
    if models.refine:
        models = refined(models, fold, vectors, cost)
    fitting = Fitting(fold.train, vectors, models, fold, checkpoints)
    retrievers = fit_retrievers(fitting, cost, purpose="validation")
    hybrid = Hybrid(retrievers, _fit_blend(retrievers, fold, settings, cost))
    ranker = _fit_ranker(hybrid, fold, vectors, settings.slate, cost)
    models = as_long(models, retrievers)
    return Chosen(models, fold.train.catalog, item_vectors, hybrid, ranker)


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
    own, seed = settings.blend, settings.split.seed
    short = _as_newcomers(fold, generator(seed, "short histories"))
    with cost.stage("ask retrievers", total=len(fold) + len(short)) as advance:
        ask = partial(source_scores, retrievers, n_items=fold.train.n_items)
        lists, short_lists = (
            [Lists.of(each, own.depth) for each in _examples(ask, of, advance)]
            for of in (fold, short)
        )
    with cost.stage("fit blend"):
        return fit_blend(
            Lists.concatenated(lists),
            item_evidence(fold.train),
            own,
            newcomer_weights=_newcomer_weights(retrievers, own),
            rng=generator(seed, "gate"),
            short=Lists.concatenated(short_lists) if short_lists else None,
        )


def _as_newcomers(fold: Fold, rng: np.random.Generator) -> Fold:
    """Ask for some of those with a history as if they had come one to five events ago."""
    able = np.flatnonzero(fold.queries.histories.lengths)
    some = rng.permutation(able)[: len(fold) // _SHORT_PART]
    return shortened(fold.take(some), rng.integers(1, _SHORT, size=len(some), endpoint=True))


def _fit_ranker(
    hybrid: Hybrid, fold: Fold, vectors: Floats, settings: SlateSettings, cost: Cost
) -> Ranker | None:
    if not settings.learned:
        return None
    evidence = ItemEvidence.of(fold.train, vectors)
    try:
        with cost.stage("learn to rank", total=len(fold.queries)) as advance:
            judged = _judged(hybrid, fold, advance)
            ranker = Ranker.fit(
                Examples.of(judged, evidence, settings.ranker.pool), settings.ranker
            )
    except MissingExtraError as error:
        warn("no order learned", reason=str(error))
        return None
    found = ranker.judged
    log.info(
        "tried the ranker",
        ndcg_gain=round(found.mean, 5),
        low=round(found.low, 5),
        high=round(found.high, 5),
        kept=ranker.is_accepted,
    )
    return ranker if ranker.is_accepted else None


def _judged(hybrid: Hybrid, fold: Fold, advance: Advance) -> Iterator[Judged]:
    """Ask as it will be answered: sources that the blend does not use say nothing."""
    ask = partial(hybrid.source_scores, n_items=fold.train.n_items)
    for example in _examples(ask, fold, advance):
        blended = hybrid.blender.contributions(example.queries, example.scores).sum(axis=0)
        scored = Scored(hybrid.sources, example.scores, blended)
        yield Judged(example.queries, scored, example.targets, example.masked)


def _examples(
    ask: Callable[[Queries], SourceScores], fold: Fold, advance: Advance
) -> Iterator[Example]:
    for batch in fold.batches():
        masked = batch.seen.toarray() != 0
        if fold.ranked is not None:
            masked |= ~fold.ranked
        yield Example(batch.queries, ask(batch.queries).scores, batch.targets, masked)
        advance(len(batch))
