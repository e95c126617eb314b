"""What goes with an item, in the world as it is now: hidden, expired and ruled out never comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from longtale.arrays import microseconds
from longtale.data.query import Queries
from longtale.errors import QueryError
from longtale.recommend.answer import Answer
from longtale.recommend.dials import AT_REST
from longtale.recommend.pipeline import ITEM_TO_ITEM
from longtale.recommend.present import Stages
from longtale.recommend.scoring import Scoring
from longtale.recommend.screen import ruled_out
from longtale.serve.answering import Ask, Prepared, named, nudges_of
from longtale.serve.rules import Ruling
from longtale.serve.world import Views, World

SIMILAR_BY: Mapping[str, tuple[str, ...]] = {
    "semantic": ("semantic",),
    "together": ("item_knn", "ease", "als"),
    "blend": ITEM_TO_ITEM,
}
"""Which sources say what goes with an item."""


def alike(world: World, views: Views, item: str, ask: Ask, by: str) -> Answer:
    """Give the items that go with one, by meaning, by what people chose together, or both.

    Raises:
        UnknownIdError: no such item.
        FilterError: the filter cannot be parsed or applied.
        QueryError: no part of this model says what goes together in this way.
    """
    stages = Stages()
    scoring = judging(world, by)
    request = paired(world, views, item, ask)
    stages.mark("query")
    slate = scoring.slate(request.queries, ask.n, exclude=request.excluded, nudges=request.nudges)
    stages.mark("score")
    answer = world.recommender.presenter.answer(request.queries, slate, stages)
    return replace(answer, seq=world.seq)


def judging(world: World, by: str) -> Scoring:
    """Give what says what goes together; raises QueryError as `alike` does."""
    sources = world.recommender.hybrid.sources
    if not set(sources) & set(SIMILAR_BY[by]):
        raise QueryError(
            f"by='{by}' needs one of {', '.join(SIMILAR_BY[by])}, and this model has only "
            f"{', '.join(sources)}"
        )
    return world.recommender.scoring.trusting(SIMILAR_BY[by])


def paired(world: World, views: Views, item: str, ask: Ask) -> Prepared:
    """Ask as somebody who has met one item and nothing else; raises as `alike` does."""
    dataset = world.live.dataset
    row = dataset.items.row(item)
    ruling = Ruling.of(tuple(views.rules.values()), dataset.catalog, "similar", ask.at)
    now = microseconds(ask.at)
    barred = {
        "hidden": world.withheld(views, now),
        "not_available": ~dataset.catalog.available(now),
        "rule": ruling.hidden,
        "seen": named(world, [item]),
        "filter": ruled_out(dataset.catalog, ask.filter),
    }
    excluded = np.logical_or.reduce(list(barred.values()))[None]
    return Prepared(Queries.of([[row]]), excluded, barred, nudges_of(ruling), AT_REST, {})
