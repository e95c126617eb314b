"""Giving lists: each is made from one world, counted, and kept as it was served."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from longtale.arrays import microseconds
from longtale.data.record import KeptSlate
from longtale.errors import QueryError, UnknownIdError
from longtale.privacy.mask import mask_values
from longtale.recommend.answer import Answer
from longtale.serve.answering import Ask, alike, answered, ordered
from longtale.serve.messages import RecommendQuery, SearchQuery
from longtale.serve.searching import searched
from longtale.serve.service import Service


def recommend(
    service: Service, ask: Ask, *, asked: Mapping[str, Any], budget_ms: float | None = None
) -> Answer:
    """Give a slate, and keep it.

    Args:
        service: what answers.
        ask: what is asked.
        asked: the same as it came, to be kept with the slate.
        budget_ms: what it may take; None is as long as it takes.
    """
    level = max(ask.level, service.pace.best_within(budget_ms))
    begun = time.perf_counter()
    answer = answered(service.engine.world, service.engine.views, replace(ask, level=level))
    service.pace.took(level, 1000 * (time.perf_counter() - begun))
    own = {"list": "recommend", **asked, "recent": list(ask.recent)}
    return keep(service, answer, user=ask.user, asked=own)


def rank(service: Service, ask: Ask, items: Sequence[str]) -> Answer:
    """Put the caller's own list in order; unknown ids are left out."""
    answer = ordered(service.engine.world, service.engine.views, ask, items)
    return keep(service, answer, user=ask.user, asked={"list": "rank", "items": list(items)})


def similar(service: Service, item: str, ask: Ask, by: str) -> Answer:
    """Give the items that go with one; see `alike`."""
    answer = alike(service.engine.world, service.engine.views, item, ask, by)
    return keep(service, answer, user=None, asked={"list": "similar", "item": item, "by": by})


def search(service: Service, query: SearchQuery) -> Answer:
    """Find items by words; who has a taste is shown what suits it first."""
    answer = searched(service.engine.world, service.engine.views, query)
    own = {"list": "search", **query.model_dump(exclude_defaults=True)}
    return keep(service, answer, user=query.user, asked=own)


def keep(service: Service, answer: Answer, *, user: str | None, asked: Mapping[str, Any]) -> Answer:
    """Keep a slate as it is served, with what was asked; give it back with what is degraded."""
    answer = replace(answer, degraded=(*answer.degraded, *service.degraded))
    if service.serve.keep_slates:
        shown = dict(asked)
        if service.serve.mask_personal_data:
            shown = mask_values(shown)
        body = {"asked": shown, "answer": answer.as_dict()}
        kept = KeptSlate(answer.slate_id, user, microseconds(datetime.now(UTC)), body)
        service.keeper.keep(kept)
    return answer


def ask_of(kept: KeptSlate) -> Ask:
    """Give what a kept slate of the list `recommend` was asked with, at the time it was asked.

    Raises:
        QueryError: it is a slate of another list.
    """
    asked = dict(kept.body["asked"])
    kind, recent = asked.pop("list"), asked.pop("recent", [])
    if kind != "recommend":
        raise QueryError(
            f"slate '{kept.id}' comes from '{kind}'; only slates of recommend and of sessions can "
            "be asked again"
        )
    query = RecommendQuery.model_validate(asked)
    at = datetime.fromtimestamp(kept.at / 1_000_000, UTC)
    return ask_from(query, user=kept.user, recent=recent, at=at)


def ask_from(
    query: RecommendQuery, *, user: str | None, recent: Sequence[str], at: datetime | None = None
) -> Ask:
    """Give what is asked by a message.

    Args:
        query: the message.
        user: for whom; None is a session.
        recent: ids of items touched in this session, oldest first.
        at: when it is asked; None is now.
    """
    return Ask(
        user=user,
        recent=tuple(recent),
        text=query.text,
        n=query.n,
        filter=query.filter,
        exclude=query.exclude,
        dials=query.dials,
        at=datetime.now(UTC) if at is None else at,
    )


def kept_slate(service: Service, slate_id: str) -> KeptSlate:
    """Give a slate as it was served.

    Raises:
        UnknownIdError: no slate of that id is kept.
    """
    found = service.keeper.slate(slate_id) or service.store.slate(slate_id)
    if found is None:
        raise UnknownIdError(
            f"no slate '{slate_id}' is kept; slates are kept while serve.keep_slates is true, "
            "until their user is forgotten"
        )
    return found
