"""Why an item stands in a slate, and why another does not: asked of the world as it is now."""

from __future__ import annotations

from longtale.data.record import KeptSlate
from longtale.explain.phrases import Audience, Language
from longtale.explain.prose import told
from longtale.explain.refusals import refused
from longtale.recommend.answer import Json
from longtale.recommend.explaining import explain, why_not
from longtale.recommend.question import Question
from longtale.recommend.scoring import Scoring
from longtale.serve import lists
from longtale.serve.answering import Ask, Prepared, prepared
from longtale.serve.likeness import judging, paired
from longtale.serve.service import Service


def explained(
    service: Service, kept: KeptSlate, item: str, audience: Audience, language: Language
) -> dict[str, Json]:
    """Give reasons, evidence, contributions and what else would change an item's place.

    Args:
        service: what answers.
        kept: the slate in which the item stands.
        item: its id.
        audience: who is told.
        language: in which the prose is.

    Raises:
        UnknownIdError: no such item.
        QueryError: the slate is one of another list.
    """
    world = service.engine.world
    question, scoring = _asked_again(service, kept)
    found = explain(world.recommender, question, item, scoring=scoring)
    served = kept.body["answer"]
    is_as_served = (served["seq"], served["model_version"]) == (
        world.seq,
        world.recommender.version,
    )
    return {
        **found.as_dict(),
        "prose": told(found, audience, language),
        "slate_id": kept.id,
        "is_as_served": is_as_served,
        "model_version": world.recommender.version,
        "seq": world.seq,
    }


def missing(
    service: Service, ask: Ask, item: str, audience: Audience, language: Language
) -> dict[str, Json]:
    """Say at which stage an item fell, and the smallest change that lets it in."""
    found = why_not(service.engine.world.recommender, _question(service, ask), item)
    return {
        **found.as_dict(),
        "prose": refused(found, audience, language),
        "seq": service.engine.world.seq,
    }


def _asked_again(service: Service, kept: KeptSlate) -> tuple[Question, Scoring]:
    """Give what a slate was asked, and what answers it."""
    world, views = service.engine.world, service.engine.views
    ask, asked = lists.ask_of(kept), kept.body["asked"]
    if asked["list"] != "similar":
        return _question(service, ask), world.recommender.scoring
    request = paired(world, views, asked["item"], ask)
    return _put(request, ask), judging(world, asked["by"])


def _question(service: Service, ask: Ask) -> Question:
    return _put(prepared(service.engine.world, service.engine.views, ask), ask)


def _put(request: Prepared, ask: Ask) -> Question:
    """Put a request in the words of explanations."""
    return Question(
        request.queries,
        request.barred,
        n=max(1, ask.n - len(request.pins)),
        dials=request.dials,
        nudges=request.nudges,
        text=ask.text,
        filter=ask.filter,
    )
