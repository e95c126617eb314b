"""A new item is live: it is found by words, by what it resembles, and in slates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running
from longtale.serve.engine import Engine

LIVE_S = 5.0
_POLL_S = 0.05
_N = 20
_WORDS = ("lighthouse", "submarine", "orchid", "typewriter", "glacier", "saxophone", "beekeeper")


def new_items(bench: Bench) -> Outcome:
    """Put items that nobody has met, and ask until each list has them."""
    took: dict[str, list[float]] = {}
    with bench.running(bench.project(bench.worlds.films, bench.room())) as running:
        for n in range(bench.scale.n_new_items):
            words = f"{_WORDS[n % 7]} and {_WORDS[(n + 1 + n // 7) % 7]} number {n}"
            for name, seconds in _seconds_until_live(running, n, words).items():
                took.setdefault(name, []).append(seconds)
            if max(found[-1] for found in took.values()) > LIVE_S:
                break
    measured = {f"{name}_s": round(max(found), 2) for name, found in took.items()}
    worst = max(max(found) for found in took.values())
    detail = "" if worst <= LIVE_S else f"an item was not in every list after {LIVE_S:g} s"
    return Outcome({"items": len(took["search"]), **measured}, worst <= LIVE_S, detail)


@contextmanager
def nothing_placed() -> Iterator[None]:
    """Leave new items where they are."""
    with patch.object(Engine, "place", lambda self: 0):
        yield


def _seconds_until_live(running: Running, n: int, words: str) -> Mapping[str, float]:
    """Put an item, and give when each list had it; where it came too late, later than allowed."""
    item, genre = f"new-{n}", f"genre-{n}"
    document = {"title": f"{words} {words}", "genres": genre}
    running.client.put(f"/v1/items/{item}", json=document).raise_for_status()
    begun = time.perf_counter()
    condition = f"genres has '{genre}'"
    waiting: Mapping[str, Callable[[], bool]] = {
        "search": lambda: _has(running, "/v1/search", item, q=words),
        "similar": lambda: running.client.get(f"/v1/similar/{item}").status_code == 200,
        "recommend": lambda: _has(running, "/v1/recommend/1", item, filter=condition),
        "words": lambda: _has(
            running, "/v1/sessions/recommend", item, text=words, filter=condition
        ),
    }
    took: dict[str, float] = {}
    while len(took) < len(waiting):
        for name, is_live in waiting.items():
            if name not in took and is_live():
                took[name] = time.perf_counter() - begun
        if time.perf_counter() - begun > LIVE_S:
            return dict.fromkeys(waiting, 2 * LIVE_S) | took
        time.sleep(_POLL_S)
    return took


def _has(running: Running, path: str, item: str, **asked: object) -> bool:
    answer = running.client.post(path, json={**asked, "n": _N}).raise_for_status()
    return item in [each["id"] for each in answer.json()["items"]]
