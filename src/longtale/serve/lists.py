"""Giving lists: each is made from one world, counted, and kept as it was served."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from longtale.arrays import microseconds
from longtale.data.record import KeptSlate
from longtale.errors import LongtaleError, QueryError, StoreError, UnknownIdError
from longtale.privacy.mask import mask_values
from longtale.recommend.answer import Answer, Json
from longtale.serve.answering import Ask, answered, ordered
from longtale.serve.likeness import alike
from longtale.serve.messages import RecommendQuery, SearchQuery
from longtale.serve.pace import Level
from longtale.serve.searching import searched
from longtale.serve.service import Service
from longtale.serve.visits import Visit

_FREE_TEXTS = ("text", "q", "context")
"""What of a question people write themselves: it may hold personal data, ids and filters do not."""


def recommend(service: Service, ask: Ask, query: RecommendQuery) -> Answer:
    """Give a slate, and keep it.

    Args:
        service: what answers.
        ask: what is asked.
        query: the same as it came.
    """
    ask = replace(ask, level=max(ask.level, service.pace.best_within(query.budget_ms)))
    begun = time.perf_counter()
    answer = answered(service.engine.world, service.engine.views, ask)
    service.pace.took(ask.level, 1000 * (time.perf_counter() - begun))
    asked = query.model_dump(mode="json", exclude_defaults=True, exclude={"history", "session"})
    told = {"exclude": [*ask.exclude], "recent": [*ask.recent], "level": int(ask.level)}
    return keep(service, answer, user=ask.user, asked={"list": "recommend", **asked, **told})


def rank(service: Service, ask: Ask, items: Sequence[str]) -> Answer:
    """Put the caller's own list in order; unknown ids are left out."""
    answer = ordered(service.engine.world, service.engine.views, ask, items)
    told = {"items": [*items], "text": ask.text, "recent": [*ask.recent]}
    return keep(service, answer, user=ask.user, asked={"list": "rank", **told})


def similar(service: Service, item: str, ask: Ask, by: str) -> Answer:
    """Give the items that go with one; see `alike`."""
    answer = alike(service.engine.world, service.engine.views, item, ask, by)
    told = {"item": item, "by": by, "n": ask.n, "filter": ask.filter}
    return keep(service, answer, user=None, asked={"list": "similar", **told})


def search(service: Service, query: SearchQuery) -> Answer:
    """Find items by words; who has a taste is shown what suits it first."""
    answer = searched(service.engine.world, service.engine.views, query)
    own = {"list": "search", **query.model_dump(exclude_defaults=True)}
    return keep(service, answer, user=query.user, asked=own)


def keep(service: Service, answer: Answer, *, user: str | None, asked: Mapping[str, Any]) -> Answer:
    """Keep a slate as it is served, with what was asked; give it back with what is degraded."""
    answer = replace(answer, degraded=(*answer.degraded, *service.degraded))
    if service.serve.keep_slates:
        told = dict(asked)
        if service.serve.mask_personal_data:
            told |= {name: mask_values(told[name]) for name in _FREE_TEXTS if name in told}
        body = {"asked": told, "answer": answer.as_dict()}
        kept = KeptSlate(answer.slate_id, user, microseconds(datetime.now(UTC)), body)
        service.keeper.keep(kept)
    return answer


def ask_of(kept: KeptSlate) -> Ask:
    """Give what a kept slate of recommend or similar was asked with, at the time it was asked.

    Raises:
        QueryError: it is a slate of another list.
    """
    asked = dict(kept.body["asked"])
    kind, recent, level = asked.pop("list"), asked.pop("recent", ()), asked.pop("level", 0)
    if kind == "similar":
        return Ask(n=asked["n"], filter=asked["filter"], at=_moment(kept))
    if kind != "recommend":
        raise QueryError(
            f"slate '{kept.id}' comes from '{kind}'; only slates of recommend, of sessions and of "
            "similar are explained"
        )
    query = RecommendQuery.model_validate(asked)
    ask = ask_from(query, user=kept.user, visit=Visit(touched=tuple(recent)), at=_moment(kept))
    return replace(ask, level=Level(level))


def ask_from(
    query: RecommendQuery,
    *,
    user: str | None,
    visit: Visit = Visit(),  # noqa: B008  it is frozen
    at: datetime | None = None,
) -> Ask:
    """Give what is asked by a message.

    Args:
        query: the message.
        user: for whom; None is a session.
        visit: what was done in this session.
        at: when it is asked; None is now.
    """
    return Ask(
        user=user,
        recent=(*visit.touched, *query.history),
        text=query.text,
        n=query.n,
        filter=query.filter,
        exclude=(*query.exclude, *visit.turned_down),
        dials=query.dials,
        at=datetime.now(UTC) if at is None else at,
    )


def replayed(service: Service, kept: KeptSlate) -> dict[str, Json]:
    """Ask again what a kept slate was asked, of the world as it is now.

    Nothing is kept. What was masked in the question before it was kept is not in this one.

    Returns:
        `outcome`: `same` items in the same order; `moved_on` where the model, the log or the time
        made it another list; `drawn` where chance was asked for; `refused` where it cannot be asked
        any more.
    """
    engine = service.engine
    try:
        answer = _again(service, kept)
    except StoreError:
        raise
    except LongtaleError as error:
        found: dict[str, Json] = {"outcome": "refused", "detail": str(error)}
    else:
        now: list[Json] = [item.id for item in answer.items]
        served = [item["id"] for item in kept.body["answer"]["items"]]
        other = "drawn" if kept.body["asked"].get("explore") else "moved_on"
        found = {"outcome": "same" if now == served else other, "items": now}
    return {**found, "model_version": engine.world.recommender.version, "seq": engine.world.seq}


def _again(service: Service, kept: KeptSlate) -> Answer:
    world, views = service.engine.world, service.engine.views
    asked = dict(kept.body["asked"])
    at = _moment(kept)
    match asked.pop("list"):
        case "rank":
            recent = tuple(asked["recent"])
            items = asked["items"]
            ask = Ask(kept.user, recent=recent, text=asked["text"], n=len(items), at=at)
            return ordered(world, views, ask, items)
        case "similar":
            return alike(world, views, asked["item"], ask_of(kept), asked["by"])
        case "search":
            return searched(world, views, SearchQuery.model_validate(asked))
        case _:
            return answered(world, views, ask_of(kept))


def _moment(kept: KeptSlate) -> datetime:
    return datetime.fromtimestamp(kept.at / 1_000_000, UTC)


def kept_slate(service: Service, slate_id: str) -> KeptSlate:
    """Give a slate as it was served.

    Raises:
        UnknownIdError: no slate of that id is kept.
    """
    found = service.keeper.slate(slate_id)
    if found is None:
        raise UnknownIdError(
            f"no slate '{slate_id}' is kept; slates are kept while serve.keep_slates is true, "
            "until their user is forgotten"
        )
    return found
