"""Endpoints that give lists: recommend, sessions, similar, rank, search, slates and reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from longtale.recommend.answer import Answer, Json
from longtale.serve import lists, reasons
from longtale.serve.answering import Ask
from longtale.serve.keys import Scope
from longtale.serve.messages import (
    ExplainQuery,
    RankQuery,
    RecommendQuery,
    SearchQuery,
    SessionQuery,
    SimilarQuery,
    SlateQuery,
    WhyNotQuery,
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
_FOUND: dict[str, Json] = {
    **SLATE,
    "stages": {"spell": 0.4, "score": 3.1, "present": 0.5},
    "searched_for": "rain on a tin roof",
    "replaced": [],
}
_KEPT: dict[str, Json] = {
    "asked": {"list": "recommend", "exclude": [], "recent": [], "level": 0},
    "answer": SLATE,
    "replay": {"outcome": "same", "items": ["318"], "model_version": "3f0c1a2b4d5e", "seq": 1042},
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
    call.request.state.degraded = answer.degraded
    call.service.count(answer)
    return shown(answer, how)


async def recommend(call: Call) -> Mapping[str, Json]:
    """Give a slate for a user; one who is not known yet is a newcomer."""
    asked: RecommendQuery = call.values
    user = call.path("user")
    return await _recommended(call, asked, lambda: lists.ask_from(asked, user=user))


async def recommend_session(call: Call) -> Mapping[str, Json]:
    """Give a slate for somebody without an account: by their session, a wish in words, or both."""
    asked: SessionQuery = call.values
    visits = call.service.visits
    return await _recommended(
        call, asked, lambda: lists.ask_from(asked, user=None, visit=visits.of(asked.session))
    )


async def similar(call: Call) -> Mapping[str, Json]:
    """Give the items that go with one item, with a reason for each pair."""
    asked: SimilarQuery = call.values
    item = call.path("item")

    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        ask = Ask(n=asked.n, filter=asked.filter)
        return lists.similar(call.service, item, ask, asked.by)

    return told(call, await call.answer(work), asked.explain)


async def rank(call: Call) -> Mapping[str, Json]:
    """Put a list of the caller's own in order; ids that are not known come back in `missing`."""
    asked: RankQuery = call.values

    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        recent = call.service.visits.of(asked.session).touched
        ask = Ask(user=asked.user, recent=recent, text=asked.text, n=len(asked.items))
        return lists.rank(call.service, ask, asked.items)

    answer = await call.answer(work)
    found = {item.id for item in answer.items}
    missing: list[Json] = [item for item in dict.fromkeys(asked.items) if item not in found]
    return {**told(call, answer, asked.explain), "missing": missing}


async def search(call: Call) -> Mapping[str, Json]:
    """Find items by words, and among those that suit them rather those that suit the user."""
    asked: SearchQuery = call.values

    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        return lists.search(call.service, asked)

    return told(call, await call.answer(work), asked.explain)


async def slate(call: Call) -> Mapping[str, Json]:
    """Give a list exactly as it was served, and say what the same question gives now."""
    asked: SlateQuery = call.values
    service = call.service
    kept = await call.work(lists.kept_slate, service, call.path("slate_id"))
    at = datetime.fromtimestamp(kept.at / 1_000_000, UTC).isoformat()
    told = {**kept.body, "slate_id": kept.id, "user": kept.user, "at": at}
    if asked.replay:
        told["replay"] = await call.answer(lists.replayed, service, kept)
    return told


async def explain(call: Call) -> Mapping[str, Json]:
    """Say why an item stands in a slate: reasons, evidence, contributions, what would change it."""
    asked: ExplainQuery = call.values
    service, slate_id, item = call.service, call.path("slate_id"), call.path("item")

    def work() -> dict[str, Json]:
        kept = lists.kept_slate(service, slate_id)
        return reasons.explained(service, kept, item, asked.audience, asked.language)

    return await call.answer(work)


async def why_not(call: Call) -> Mapping[str, Json]:
    """Say at which stage an item falls for a user, and the smallest change that lets it in."""
    asked: WhyNotQuery = call.values

    def work() -> dict[str, Json]:
        call.service.catch_up(asked.min_seq)
        visit = call.service.visits.of(asked.session)
        ask = lists.ask_from(asked, user=asked.user, visit=visit)
        return reasons.missing(call.service, ask, asked.item, asked.audience, asked.language)

    return await call.answer(work)


async def _recommended(
    call: Call, asked: RecommendQuery, ask: Callable[[], Ask]
) -> dict[str, Json]:
    def work() -> Answer:
        call.service.catch_up(asked.min_seq)
        return lists.recommend(call.service, ask(), asked)

    return told(call, await call.answer(work), asked.explain)


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
    Endpoint("GET", "/v1/search", Scope.READ, search, SearchQuery, _FOUND),
    Endpoint(
        "POST", "/v1/search", Scope.READ, search, SearchQuery, _FOUND, {"q": "rain on a tin roof"}
    ),
    Endpoint(
        "GET",
        "/v1/explain/{slate_id}/{item}",
        Scope.READ,
        explain,
        ExplainQuery,
        {"item": {"id": "318"}, "rank": 1, "contributions": {"ease": 0.81}, "prose": "..."},
    ),
    Endpoint(
        "GET",
        "/v1/why-not",
        Scope.READ,
        why_not,
        WhyNotQuery,
        {"stage": "score", "rank": 212, "prose": "..."},
    ),
    Endpoint("GET", "/v1/slates/{slate_id}", Scope.READ, slate, SlateQuery, _KEPT),
)
