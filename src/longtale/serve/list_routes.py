"""Endpoints that give lists: recommend, sessions, similar, rank, search, slates and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from longtale.recommend.answer import Answer, Json
from longtale.serve import lists
from longtale.serve.answering import Ask
from longtale.serve.keys import Scope
from longtale.serve.messages import (
    RankQuery,
    RecommendQuery,
    SearchQuery,
    SessionQuery,
    SimilarQuery,
)
from longtale.serve.routing import Call, Endpoint

_ITEM: dict[str, Json] = {
    "id": "318",
    "rank": 1,
    "score": 1.2031,
    "sources": {"ease": 0.81, "semantic": 0.39},
    "band": "head",
    "reasons": [{"code": "chosen_together", "evidence": ["858"], "weight": 0.67}],
    "item": {"title": "The Shawshank Redemption", "year": 1994},
}
SLATE: dict[str, Json] = {
    "slate_id": "0f8fad5bd9cb469fa16570867728950e",
    "model_version": "3f0c1a2b4d5e",
    "seq": 1042,
    "took_ms": 6.1,
    "stages": {"query": 0.2, "score": 5.4, "present": 0.5},
    "degraded": [],
    "items": [_ITEM],
}


def shown(answer: Answer, how: str) -> dict[str, Json]:
    """Give a slate with as much of its reasons as was asked for."""
    values = answer.as_dict()
    items: list[dict[str, Any]] = values["items"]  # type: ignore[assignment]
    for item in items:
        if how == "none":
            item["reasons"] = []
        if how in ("none", "codes"):
            item.pop("weights")
            for reason in item["reasons"]:
                reason.pop("text")
        elif how == "text":
            item.pop("weights")
    return values


def told(call: Call, answer: Answer, how: str) -> dict[str, Json]:
    """Give a slate as it is sent, and let it be counted."""
    call.request.state.stages.update(answer.stages)
    call.service.count(answer)
    return shown(answer, how)


async def recommend(call: Call) -> Mapping[str, Json]:
    """Give a slate for a user; one who is not known yet is a newcomer."""
    asked: RecommendQuery = call.values
    ask = _ask(asked, user=call.path("user"), recent=asked.history)
    return await _recommended(call, asked, ask)


async def recommend_session(call: Call) -> Mapping[str, Json]:
    """Give a slate for somebody without an account: by their session, a wish in words, or both."""
    asked: SessionQuery = call.values
    recent = call.service.recent(asked.session)
    return await _recommended(call, asked, _ask(asked, user=None, recent=(*recent, *asked.history)))


async def similar(call: Call) -> Mapping[str, Json]:
    """Give the items that go with one item, with a reason for each pair."""
    asked: SimilarQuery = call.values
    item = call.path("item")

    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        ask = Ask(n=asked.n, filter=asked.filter)
        return lists.similar(call.service, item, ask, asked.by)

    return told(call, await call.work(work), asked.explain)


async def rank(call: Call) -> Mapping[str, Json]:
    """Put a list of the caller's own in order; ids that are not known come back in `missing`."""
    asked: RankQuery = call.values
    recent = call.service.recent(asked.session)

    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        ask = Ask(user=asked.user, recent=recent, text=asked.text, n=len(asked.items))
        return lists.rank(call.service, ask, asked.items)

    answer = await call.work(work)
    found = {item.id for item in answer.items}
    missing: list[Json] = [item for item in dict.fromkeys(asked.items) if item not in found]
    return {**told(call, answer, asked.explain), "missing": missing}


async def search(call: Call) -> Mapping[str, Json]:
    """Find items by words, and among those that suit them rather those that suit the user."""
    asked: SearchQuery = call.values

    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        return lists.search(call.service, asked)

    return told(call, await call.work(work), asked.explain)


async def slate(call: Call) -> Mapping[str, Json]:
    """Give a list exactly as it was served."""
    kept = await call.work(lists.kept_slate, call.service, call.path("slate_id"))
    at = datetime.fromtimestamp(kept.at / 1_000_000, UTC).isoformat()
    return {**kept.body, "slate_id": kept.id, "user": kept.user, "at": at}


async def _recommended(call: Call, asked: RecommendQuery, ask: Ask) -> dict[str, Json]:
    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        kept = asked.model_dump(exclude_defaults=True)
        return lists.recommend(call.service, ask, asked=kept, budget_ms=asked.budget_ms)

    return told(call, await call.work(work), asked.explain)


def _ask(asked: RecommendQuery, *, user: str | None, recent: Sequence[str]) -> Ask:
    return Ask(
        user=user,
        recent=tuple(recent),
        text=asked.text,
        n=asked.n,
        filter=asked.filter,
        exclude=asked.exclude,
        dials=asked.dials,
    )


ENDPOINTS = (
    Endpoint("GET", "/v1/recommend/{user}", Scope.READ, recommend, RecommendQuery, SLATE),
    Endpoint(
        "POST",
        "/v1/recommend/{user}",
        Scope.READ,
        recommend,
        RecommendQuery,
        SLATE,
        {"n": 5, "long_tail": 0.3, "explain": "text"},
    ),
    Endpoint(
        "POST",
        "/v1/sessions/recommend",
        Scope.READ,
        recommend_session,
        SessionQuery,
        SLATE,
        {"text": "quiet science fiction, no war", "n": 5},
    ),
    Endpoint("GET", "/v1/similar/{item}", Scope.READ, similar, SimilarQuery, SLATE),
    Endpoint(
        "POST", "/v1/rank", Scope.READ, rank, RankQuery, SLATE, {"user": "1", "items": ["1", "2"]}
    ),
    Endpoint("GET", "/v1/search", Scope.READ, search, SearchQuery, SLATE),
    Endpoint(
        "POST", "/v1/search", Scope.READ, search, SearchQuery, SLATE, {"q": "rain on a tin roof"}
    ),
    Endpoint("GET", "/v1/slates/{slate_id}", Scope.READ, slate, None, {"answer": SLATE}),
)
