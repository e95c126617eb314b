"""Malformed input: it is answered, never by a fault of the service, and in little memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import orjson

from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.nonsense import Nonsense, oversized, slow
from longtale.reliability.wire import Lines, Told
from longtale.seeds import generator
from longtale.serve import routing

MOST_MB = 50.0
_READ_TIMEOUT_S = 1.0
_WARM_UP = 60  # requests after which memory is what the service needs anyway
_PATIENCE_S = 20.0
_EACH_SLOW = 10
_AT_ONCE = 4
_UNANSWERED = Told(-1)
_FIGURES = ("requests", "memory_mb")
"""What is measured and need not be 0."""


def malformed(bench: Bench) -> Outcome:
    """Send what makes no sense, what is too large, and what never ends."""
    admission = {"read_timeout_s": _READ_TIMEOUT_S}
    project = bench.project(bench.worlds.small, bench.room(), admission=admission)
    with bench.server(project) as server:
        made = server.client.post("/v1/keys", json={"scope": "admin", "name": "trial"})
        token = made.raise_for_status().json()["token"]
        nonsense = Nonsense(server.url, token, generator(0, "nonsense"))
        requests = [nonsense.next_request() for _ in range(_WARM_UP + bench.scale.n_malformed)]
        # Memory for the largest body that is read, and for the first of each kind, counts as usual.
        told = _answers(server.url, requests[:_WARM_UP])
        _answers(server.url, oversized(server.url, token))
        before_mb = server.memory_mb()
        told += _answers(server.url, requests[_WARM_UP:])
        too_large = _answers(server.url, oversized(server.url, token))
        unfinished = _answers(server.url, slow(server.url, token) * _EACH_SLOW)
        grown_mb = server.memory_mb() - before_mb
        is_up = server.client.get("/v1/health/live").status_code == 200
    failed = [
        (answer.status, request[:60])
        for request, answer in zip(requests, told, strict=True)
        if answer.status >= 500 or answer is _UNANSWERED
    ]
    measured = {
        "requests": len(told),
        "answered_5xx": sum(status >= 500 for status, _ in failed),
        "never_answered": sum(status < 0 for status, _ in failed),
        "too_large_and_not_413": sum(answer.status != 413 for answer in too_large),
        "slow_and_kept_waiting": sum(answer is _UNANSWERED for answer in unfinished),
        "memory_mb": round(grown_mb, 1),
    }
    wrong = [name for name, value in measured.items() if name not in _FIGURES and value]
    wrong += ["memory_mb"] if grown_mb > MOST_MB else []
    wrong += [] if is_up else ["the server is gone"]
    detail = f"{', '.join(wrong)}; {failed[:2]}" if wrong else ""
    return Outcome(measured, not wrong, detail)


@contextmanager
def reading_anything() -> Iterator[None]:
    """Read JSON with a reader that takes NaN, halves of characters and any depth."""
    lenient = SimpleNamespace(
        loads=json.loads, dumps=orjson.dumps, JSONDecodeError=json.JSONDecodeError
    )
    with patch.object(routing, "orjson", lenient):
        yield


def _answers(url: str, requests: Sequence[bytes]) -> list[Told]:
    return asyncio.run(_asked(url, requests))


async def _asked(url: str, requests: Sequence[bytes]) -> list[Told]:
    """Send requests, a few at once, each on a connection of its own."""
    places = asyncio.Semaphore(max(_AT_ONCE, len(requests) if len(requests) < 50 else 0))

    async def ask(content: bytes) -> Told:
        async with places:
            lines = Lines(url)
            try:
                return await asyncio.wait_for(lines.ask(content), _PATIENCE_S)
            except TimeoutError:
                return _UNANSWERED
            finally:
                lines.close()

    return list(await asyncio.gather(*map(ask, requests)))
