"""Search in the world as it is now: what is hidden, muted or ruled out never comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from longtale.arrays import microseconds
from longtale.recommend.screen import ruled_out
from longtale.recommend.searching import Asked, Found
from longtale.serve.answering import Ask, named, queries_of
from longtale.serve.messages import SearchQuery
from longtale.serve.rules import Ruling
from longtale.serve.taste import Taste
from longtale.serve.world import Views, World


def searched(world: World, views: Views, query: SearchQuery) -> Found:
    """Find items by words; what a user met may come again, what they muted may not.

    Raises:
        QueryError: the words are blank, or the items have none.
        FilterError: the filter cannot be parsed or applied.
    """
    moment = datetime.now(UTC)
    catalog, now = world.live.dataset.catalog, microseconds(moment)
    ruling = Ruling.of(tuple(views.rules.values()), catalog, "search", moment)
    muted = views.tastes.get(query.user or "", Taste()).muted
    excluded = world.withheld(views, now) | ~catalog.available(now)
    excluded |= ruling.hidden | named(world, muted) | ruled_out(catalog, query.filter)
    users = None
    if query.user is not None:
        users = queries_of(world, views, Ask(user=query.user))
    found = world.recommender.searching.answer(
        world.recommender.presenter,
        Asked(query.q, query.personal, query.correct),
        query.n,
        exclude=excluded[None],
        users=users,
    )
    return replace(found, seq=world.seq)
