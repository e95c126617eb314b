"""Giving lists: each is made from one world, counted, and kept as it was served."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from longtale.arrays import microseconds
from longtale.data.record import KeptSlate
from longtale.errors import UnknownIdError
from longtale.privacy.mask import mask_values
from longtale.recommend.answer import Answer
from longtale.serve.answering import Ask, alike, answered, ordered
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
    return keep(service, answer, user=ask.user, asked=asked)


def rank(service: Service, ask: Ask, items: Sequence[str]) -> Answer:
    """Put the caller's own list in order; unknown ids are left out."""
    answer = ordered(service.engine.world, service.engine.views, ask, items)
    return keep(service, answer, user=ask.user, asked={"items": list(items)})


def similar(service: Service, item: str, ask: Ask, by: str) -> Answer:
    """Give the items that go with one; see `alike`."""
    answer = alike(service.engine.world, service.engine.views, item, ask, by)
    return keep(service, answer, user=None, asked={"item": item, "by": by})


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
