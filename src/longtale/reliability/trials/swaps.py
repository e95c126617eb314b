"""Hot swap: one model takes the place of another under load, and no list is of both."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from longtale.recommend.answer import Answer
from longtale.recommend.folder import verified
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running, asking
from longtale.reliability.worlds import EDITION, FEW_SOURCES
from longtale.serve import lists
from longtale.serve.answering import Ask, answered
from longtale.serve.engine import Engine
from longtale.serve.world import Views, World

ROLLBACK_S = 2.0
_READERS = 3
_LISTS_BETWEEN = 6
_PATIENCE_S = 30.0
_LATE_S = 0.05


@dataclass
class _Seen:
    """What readers were told."""

    lists: int = 0
    wrong: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)

    def wait_for(self, n_lists: int) -> None:
        """Wait until so many further lists came, or something went wrong."""
        enough, deadline = self.lists + n_lists, time.monotonic() + _PATIENCE_S
        while self.lists < enough and not self.wrong and time.monotonic() < deadline:
            time.sleep(0.005)


def swaps(bench: Bench) -> Outcome:
    """Promote and roll back while slates are asked for, and look at each of them."""
    room = bench.room()
    editions = {"first": bench.worlds.films, "second": bench.worlds.other_films}
    versions = {str(verified(path)["version"]): name for name, path in editions.items()}
    (room / "models").mkdir()
    for name, path in editions.items():
        shutil.copytree(path, room / "models" / name, copy_function=os.link)
    took: list[float] = []
    seen = _Seen()
    project = bench.project(bench.worlds.films, room)
    with bench.running(project) as running, _read_by_others(running, versions, seen):
        second = next(version for version, name in versions.items() if name == "second")
        refused = [
            s for _ in range(bench.scale.n_swaps // 2) for s in _swap(running, second, seen, took)
        ]
    measured = {
        "swaps": 2 * (bench.scale.n_swaps // 2),
        "lists": seen.lists,
        "errors": len(seen.wrong) + len(refused),
        "mixed": len(seen.mixed),
        "rollback_s": round(max(took, default=0.0), 3),
    }
    first = [*refused, *seen.wrong, *seen.mixed][:1]
    is_kept = not first and seen.lists > 0
    slowness = max(took, default=0.0) / ROLLBACK_S
    return Outcome(measured, is_kept, first[0] if first else "", slowness)


@contextmanager
def swapped_in_parts() -> Iterator[None]:
    """Let the name of the model be that of a later moment than its list."""
    engines: list[Engine] = []
    promote = Engine.promote

    def remembered(self: Engine, *arguments: Any, **named: Any) -> Any:
        engines.append(self)
        return promote(self, *arguments, **named)

    def late(world: World, views: Views, ask: Ask) -> Answer:
        answer = answered(world, views, ask)
        time.sleep(_LATE_S)
        now = engines[-1].world if engines else world
        return replace(answer, model_version=now.recommender.version)

    with patch.object(Engine, "promote", remembered), patch.object(lists, "answered", late):
        yield


def _swap(running: Running, version: str, seen: _Seen, took: list[float]) -> list[str]:
    """Promote a model and take it back, each after some lists; say what was refused."""
    seen.wait_for(_LISTS_BETWEEN)
    promoted = running.client.post(f"/v1/models/{version}/promote", json={})
    seen.wait_for(_LISTS_BETWEEN)
    begun = time.perf_counter()
    back = running.client.post("/v1/models/rollback", json={})
    took.append(time.perf_counter() - begun)
    return [each.text for each in (promoted, back) if each.status_code != 200]


@contextmanager
def _read_by_others(running: Running, versions: Mapping[str, str], seen: _Seen) -> Iterator[None]:
    """Ask for slates in several threads for as long as the context lasts."""
    stopping = threading.Event()

    def read(number: int) -> None:
        with asking(running.url) as client:
            while not stopping.is_set():
                answer = client.get(f"/v1/recommend/{number + 1}")
                if answer.status_code != 200:
                    seen.wrong.append(f"{answer.status_code}: {answer.text[:200]}")
                    continue
                seen.lists += 1
                if (told := _mixture(answer.json(), versions)) is not None:
                    seen.mixed.append(told)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(_READERS)]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        stopping.set()
        for reader in readers:
            reader.join()


def _mixture(slate: Mapping[str, Any], versions: Mapping[str, str]) -> str | None:
    """Say in which way a slate is of two models; None where it is of one."""
    edition = versions.get(slate["model_version"])
    for item in slate["items"]:
        if item["item"][EDITION] != edition:
            return f"an item of the {item['item'][EDITION]} edition in a list of the {edition}"
        is_few = set(item["sources"]) == set(FEW_SOURCES)
        if is_few != (edition == "second"):
            return f"scores of {sorted(item['sources'])} in a list of the {edition} edition"
    return None
