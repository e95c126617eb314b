"""What the validation fold decides: settings of the parts, their weights and the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from longtale import log
from longtale.arrays import Floats, Mask
from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.evidence import item_evidence
from longtale.blend.gate import GatedBlend
from longtale.blend.hybrid import Hybrid, SourceScores, source_scores
from longtale.blend.learning import fit_blend
from longtale.blend.lists import Example, Lists
from longtale.blend.new_items import with_new_items
from longtale.contracts import Retriever
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.splits.folds import hidden_from, shortened
from longtale.data.splits.split import Fold, validation_fold
from longtale.data.splits.withheld import some_items, without_items
from longtale.data.tastes import taste_sentences
from longtale.encode.encoder import make_encoder
from longtale.errors import SplitError
from longtale.log import warn
from longtale.rank.evidence import ItemEvidence
from longtale.rank.examples import Examples, Judged
from longtale.rank.features import Scored
from longtale.rank.ranker import Ranker
from longtale.recommend.assemble import (
    TRAINED,
    Fitting,
    as_long,
    fit_retriever,
    fit_retrievers,
    is_reader,
    newcomer_weights,
)
from longtale.recommend.cost import Cost
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.refine import refined
from longtale.recommend.settings import LongtaleSettings, ModelsSettings, SlateSettings
from longtale.recommend.workshop.made import unmet_by
from longtale.seeds import dealt, generator
from longtale.stages import Advance

_SHORT = 5
"""Events after which a newcomer is one no more."""
_SHORT_PART = 4
"""One in so many validation requests is also asked as a newcomer's."""
_TOLD_PART = 2
"""One in so many is also asked as if they had only said what they like."""
_STOPPING = 4
"""One in so many validation requests says when training stops; the others judge."""
_HIDDEN = 0.1
"""Share of the items that are hidden to learn what new items are worth."""
_ASKED_ABOUT_NEW = 4096
"""At most so many validation requests are asked about hidden items; few tell no small price."""


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
    stopping, judging = parted(fold, models, generator(settings.split.seed, "early stopping"))
    fitting = Fitting(fold.train, vectors, models, stopping, checkpoints)
    retrievers = fit_retrievers(fitting, cost, purpose="validation")
    blender = _fit_blend(retrievers, judging, item_vectors, settings, cost)
    blender = _fit_new_items(blender, retrievers, judging, fitting, settings, cost)
    hybrid = Hybrid(retrievers, blender)
    ranker = _fit_ranker(hybrid, judging, vectors, settings.slate, cost)
    models = as_long(models, retrievers)
    return Chosen(models, fold.train.catalog, item_vectors, hybrid, ranker)


def parted(
    fold: Fold, models: ModelsSettings, rng: np.random.Generator
) -> tuple[Fold | None, Fold]:
    """Part the requests into those that stop training and those that judge what was trained.

    Requests by which the best pass was chosen flatter what was chosen, and the blend would trust
    it more than it should.
    """
    if not set(models.use) & set(TRAINED) or len(fold) < _STOPPING:
        return None, fold
    stops = dealt(fold.queries.user_rows, _STOPPING, rng) == 0
    return fold.take(np.flatnonzero(stops)), fold.take(np.flatnonzero(~stops))


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
    retrievers: tuple[Retriever, ...],
    fold: Fold,
    item_vectors: ItemVectors,
    settings: LongtaleSettings,
    cost: Cost,
) -> GatedBlend:
    own, seed = settings.blend, settings.split.seed
    short = as_newcomers(fold, generator(seed, "short histories"))
    told = _as_told(fold, item_vectors, generator(seed, "told tastes"))
    with cost.stage("ask retrievers", total=len(fold) + len(short) + len(told)) as advance:
        ask = partial(source_scores, retrievers, n_items=fold.train.n_items)
        lists, short_lists, told_lists = (
            [Lists.of(each, own.depth) for each in examples(ask, of, advance)]
            for of in (fold, short, told)
        )
    with cost.stage("fit blend"):
        return fit_blend(
            Lists.concatenated([*lists, *told_lists]),
            item_evidence(fold.train),
            own,
            newcomer_weights=_newcomer_weights(retrievers, own),
            rng=generator(seed, "gate"),
            short=Lists.concatenated(short_lists) if short_lists else None,
        )


def _fit_new_items(
    blender: GatedBlend,
    retrievers: tuple[Retriever, ...],
    fold: Fold,
    fitting: Fitting,
    settings: LongtaleSettings,
    cost: Cost,
) -> GatedBlend:
    """Hide some items from all sources, and learn how to rank them beside the others.

    What reads descriptions is fitted again without them. The others fall silent about them, as
    about all that nobody has met, and so get no weight there. An encoder that learned from choices
    would know them, so it is items that it has not met, where there are any.
    """
    rng = generator(settings.split.seed, "hidden items")
    unmet = unmet_by(settings.encode.model, fitting.dataset.catalog)
    hidden = some_items(fitting.dataset, _HIDDEN, rng, rather=unmet)
    if not settings.blend.new_items_price or not hidden.any():
        return blender
    world = without_items(fitting.dataset, hidden)
    if not len(world.interactions):
        return blender
    vectors = fitting.vectors
    if world.catalog is not fitting.dataset.catalog:
        vectors = encoded(world, settings, cost).vectors
    some = fold.take(np.sort(rng.permutation(len(fold))[:_ASKED_ABOUT_NEW]))
    with cost.stage("learn new items", total=2 * len(some)) as advance:
        own = replace(fitting, dataset=world, vectors=vectors)
        known = {retriever.name: retriever for retriever in retrievers}
        asked = tuple(
            fit_retriever(name, own) if is_reader(known[name]) else known[name]
            for name in fitting.settings.use
            if name in known
        )
        untouched = world.item_counts == 0
        silent = untouched & ~np.array([is_reader(r) for r in retrievers])[:, None]
        ask = partial(_without_hidden, asked, silent)
        lists = [
            Lists.of(each, settings.blend.depth)
            for requests in hidden_from(some, hidden)
            for each in examples(ask, requests, advance)
        ]
        if not lists:
            return blender
        joined = Lists.concatenated(lists)
        acted = joined.take(np.flatnonzero(joined.n_events > 0))
        learned = with_new_items(blender.knowing(world), acted)
    return learned.knowing(fold.train)


def _without_hidden(
    retrievers: tuple[Retriever, ...], silent: Mask, queries: Queries
) -> SourceScores:
    """Ask all, and hear nothing where a source must be silent, bool (S, N)."""
    found = source_scores(retrievers, queries, silent.shape[1])
    found.scores.transpose(1, 0, 2)[:, silent] = np.nan
    return found


def as_newcomers(fold: Fold, rng: np.random.Generator) -> Fold:
    """Ask for some of those with a history as if they had come one to five events ago."""
    able = np.flatnonzero(fold.queries.histories.lengths)
    some = rng.permutation(able)[: len(fold) // _SHORT_PART]
    return shortened(fold.take(some), rng.integers(1, _SHORT, size=len(some), endpoint=True))


def _as_told(fold: Fold, item_vectors: ItemVectors, rng: np.random.Generator) -> Fold:
    """Ask for some as if they had come just now, and had only said what they like."""
    some = fold.take(rng.permutation(len(fold))[: len(fold) // _TOLD_PART])
    said = taste_sentences(fold.train, some.queries.histories)
    speaking = np.array([row for row, sentence in enumerate(said) if sentence], dtype=np.int64)
    silent = shortened(some.take(speaking), np.zeros(len(speaking), dtype=np.int64))
    vectors = item_vectors.of_words([said[row] for row in speaking])
    return replace(silent, queries=replace(silent.queries, text_vectors=vectors))


def _fit_ranker(
    hybrid: Hybrid, fold: Fold, vectors: Floats, settings: SlateSettings, cost: Cost
) -> Ranker | None:
    if not settings.learned:
        return None
    evidence = ItemEvidence.of(fold.train, vectors)
    with cost.stage("learn to rank", total=len(fold.queries)) as advance:
        judged = _judged(hybrid, fold, advance)
        examples = Examples.of(judged, evidence, settings.ranker.pool)
        ranker = Ranker.fit(examples, settings.ranker)
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
    for example in examples(ask, fold, advance):
        blended = hybrid.blender.contributions(example.queries, example.scores).sum(axis=0)
        scored = Scored(hybrid.sources, example.scores, blended)
        yield Judged(example.queries, scored, example.targets, example.masked)


def examples(
    ask: Callable[[Queries], SourceScores], fold: Fold, advance: Advance
) -> Iterator[Example]:
    """Ask for all requests of a fold, batch by batch, with what is right and what cannot come."""
    for batch in fold.batches():
        masked = batch.seen.toarray() != 0
        if fold.ranked is not None:
            masked |= ~fold.ranked
        yield Example(batch.queries, ask(batch.queries).scores, batch.targets, masked)
        advance(len(batch))
