"""Records as they come in, and what an engine answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from longtale.data.record import Record, RecordKind
from longtale.recommend.answer import Answer
from longtale.serve.answering import Ask, answered
from longtale.serve.engine import Engine


def event(user: str, item: str, kind: str = "view", *, id: str | None = None, **more) -> Record:
    body = {"kind": kind, "item": item, "time": now(), **more}
    return Record(RecordKind.EVENT, user, body, id or uuid.uuid4().hex, now())


def item(own_id: str, body: Mapping[str, Any] | None) -> Record:
    return record(RecordKind.ITEM, own_id, body)


def record(kind: RecordKind, subject: str, body: Mapping[str, Any] | None) -> Record:
    return Record(kind, subject, body, uuid.uuid4().hex, now())


def now() -> int:
    return time.time_ns() // 1000


def ask(engine: Engine, user: str | None = None, **more: Any) -> Answer:
    """Give everything that may come for a user, unless told otherwise."""
    return answered(engine.world, engine.views, Ask(user=user, **{"n": 100, **more}))


def ids(answer: Answer) -> list[str]:
    return [item.id for item in answer.items]


def history(engine: Engine, user: str) -> list[str]:
    """Give what the world says a user touched, oldest first."""
    live = engine.world.live
    return live.dataset.items.ids_of(live.histories(live.user_rows([user])).items)


def histories(engine: Engine) -> dict[str, list[str]]:
    return {user: history(engine, user) for user in sorted(engine.world.user_ids())}


def scores(answer: Answer) -> Mapping[str, float]:
    return {item.id: np.nan if item.score is None else item.score for item in answer.items}


def places(answer: Answer, items: Sequence[str]) -> list[int]:
    found = ids(answer)
    return [found.index(item) for item in items]
