"""The ladder of degradation: whatever part fails, there is an answer, and it says what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from unittest.mock import patch

from longtale.blend.gate import GatedBlend
from longtale.errors import StoreError
from longtale.feedback.sessions import MemorySessions
from longtale.feedback.sql_store import SQLStore
from longtale.recommend.answer import Answer
from longtale.recommend.slating import Slating
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running
from longtale.serve import lists
from longtale.serve.answering import Ask, answered
from longtale.serve.world import Views, World

_N = 10
_TRIES, _TRIES_LATER, _PAUSE_S = 3, 50, 0.1


@dataclass(frozen=True)
class Rung:
    """A thing that goes wrong.

    Args:
        name: what.
        breaks: lets it go wrong.
        said: what the answer must say of it.
        budget_ms: how long the answer may take.
        tries: how often is asked until it is said; what fails in the background is noticed later.
    """

    name: str
    breaks: Callable[[], AbstractContextManager[object]]
    said: frozenset[str]
    budget_ms: float | None = None
    tries: int = _TRIES


def ladder(bench: Bench) -> Outcome:
    """Let one part after the other fail, and look at what is answered."""
    wrong: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    with bench.running(bench.project(bench.worlds.small, bench.room())) as running:
        rungs = _rungs(running)
        for rung in rungs:
            with rung.breaks():
                status, degraded, n_items = _answer(running, rung)
            found[rung.name] = degraded
            if status != 200 or n_items != _N or set(degraded) != rung.said:
                wrong[rung.name] = f"{status} with {n_items} items, degraded {degraded}"
    detail = "; ".join(f"{name}: {what}" for name, what in wrong.items())
    return Outcome({"levels": len(rungs), "wrong": len(wrong), **_listed(found)}, not wrong, detail)


@contextmanager
def nothing_said() -> Iterator[None]:
    """Answer from a lower rung without saying so."""

    def silent(world: World, views: Views, ask: Ask) -> Answer:
        return replace(answered(world, views, ask), degraded=())

    with patch.object(lists, "answered", silent):
        yield


def _rungs(running: Running) -> Sequence[Rung]:
    retrievers = running.service.engine.world.recommender.hybrid.retrievers
    items = running.client.get("/v1/recommend/u1").json()["items"]
    names = {name for item in items for name, share in item["sources"].items() if share}
    used = [retriever for retriever in retrievers if retriever.name in names]
    away = StoreError("the store is away")
    return (
        Rung("nothing", nullcontext, frozenset()),
        Rung("a source", lambda: _failing(type(used[0]), "scores"), frozenset([used[0].name])),
        Rung("every source", lambda: _all_failing(used), frozenset(names)),
        Rung("the blend", lambda: _failing(GatedBlend, "contributions"), frozenset(["quick"])),
        Rung("all scoring", lambda: _failing(Slating, "slate"), frozenset(["popular"])),
        Rung("time", nullcontext, frozenset(["popular"]), budget_ms=1e-6),
        Rung(
            "the sessions",
            lambda: patch.object(MemorySessions, "is_degraded", True),
            frozenset(["sessions"]),
        ),
        Rung(
            "the store",
            lambda: _failing(SQLStore, "last_seq", away),
            frozenset(["store"]),
            tries=_TRIES_LATER,
        ),
        Rung("nothing any more", nullcontext, frozenset(), tries=_TRIES_LATER),
    )


def _answer(running: Running, rung: Rung) -> tuple[int, list[str], int]:
    """Ask for a slate until it says what it must."""
    asked: dict[str, Any] = {"n": _N}
    if rung.budget_ms is not None:
        asked["budget_ms"] = rung.budget_ms
    for _ in range(rung.tries):
        answer = running.client.post("/v1/recommend/u1", json=asked)
        told = answer.json()
        degraded, items = told.get("degraded", []), told.get("items", [])
        if frozenset(degraded) == rung.said:
            break
        time.sleep(_PAUSE_S)
    return answer.status_code, degraded, len(items)


def _failing(
    owner: type, method: str, error: Exception | None = None
) -> AbstractContextManager[object]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("broken on purpose") if error is None else error

    return patch.object(owner, method, fail)


@contextmanager
def _all_failing(retrievers: Sequence[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for owner in {type(each) for each in retrievers}:
            stack.enter_context(_failing(owner, "scores"))
        yield


def _listed(found: dict[str, list[str]]) -> dict[str, Any]:
    return {f"when {name} fails": degraded for name, degraded in found.items()}
