"""Read your writes: an answer that is asked with the number of a write knows the write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.server_process import ServerProcess
from longtale.reliability.worlds import N_USERS
from longtale.serve import background
from longtale.serve.service import Service

_SELDOM_S = 60.0


def own_writes(bench: Bench) -> Outcome:
    """Tell one worker of an event, and ask the other at once; what was met must not come back."""
    project = bench.project(bench.worlds.small, bench.room())
    stale, shown = 0, 0
    with bench.server(project) as first, bench.server(project) as second:
        workers = (first, second)
        for n in range(bench.scale.n_writes):
            writer, reader = workers[n % 2], workers[1 - n % 2]
            user = f"u{n % N_USERS}" if n % 4 else f"newcomer-{n}"
            item = _slate(reader, user, 0)["items"][0]["id"]
            event = {"kind": "click", "user": user, "item": item}
            told = writer.client.post("/v1/events", json=event).raise_for_status()
            seq = int(told.json()["seq"])
            slate = _slate(reader, user, seq)
            stale += slate["seq"] < seq
            shown += item in [each["id"] for each in slate["items"]]
    measured = {
        "writes": bench.scale.n_writes,
        "workers": 2,
        "answers_that_knew_less": stale,
        "items_that_came_back": shown,
    }
    is_kept = not stale and not shown
    return Outcome(measured, is_kept, "" if is_kept else f"{stale} of the answers were stale")


@contextmanager
def stale_answers() -> Iterator[None]:
    """Answer with what is known, whatever is asked for.

    The log is followed seldom: on a busy machine a question may come later than what follows it.
    """
    ignored = patch.object(Service, "catch_up", lambda self, min_seq: None)
    with ignored, patch.object(background, "FOLLOW_EVERY_S", _SELDOM_S):
        yield


def _slate(worker: ServerProcess, user: str, seq: int) -> dict[str, Any]:
    answer = worker.client.get(f"/v1/recommend/{user}", params={"min_seq": seq, "n": 20})
    return answer.raise_for_status().json()
