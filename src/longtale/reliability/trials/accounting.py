"""Nothing is dropped silently: each row that is sent is accepted, known already, or rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running
from longtale.reliability.worlds import N_ITEMS, N_USERS
from longtale.seeds import generator
from longtale.serve.intake import Sorted
from longtale.serve.messages import Fault

_ROWS = 200  # of one batch
_LEAST_BAD, _MOST_BAD = 0.01, 0.5
_TWICE = 0.1
BAD_ROWS: tuple[str, ...] = (
    '{"kind": "clik", "user": "u1", "item": "i1"}',
    '{"kind": "click", "user": "u1", "item": "not there"}',
    '{"kind": "click", "item": "i1"}',
    '{"kind": "click", "user": "u1", "session": "s1", "item": "i1"}',
    '{"user": "u1", "item": "i1"}',
    '{"kind": "click", "user": "u1", "item": "i1", "tmie": "2026-01-01T00:00:00Z"}',
    '{"kind": "click", "user": "u1", "item": "i1", "time": "2999-01-01T00:00:00Z"}',
    '{"kind": "click", "user": "u1", "item": "i1", "time": "yesterday"}',
    '{"kind": "click", "user": "u1", "item": "i1", "value": 1e300}',
    '{"kind": "click", "user": "u1", "item": "i1", "rank": 0}',
    '{"kind": "click", "user": "", "item": "i1"}',
    '{"kind": "click", "user": "u\\u0000", "item": "i1"}',
    '{"kind": 7, "user": "u1", "item": ["i1"]}',
    "[]",
    "null",
    '"click"',
)
"""Rows that are JSON and no events."""
NO_JSON: tuple[str, ...] = ('{"kind": "click", ', "NaN", "kind,user,item", '{"user": "\\ud800"}')
"""Rows that only a stream of lines can hold."""


@dataclass
class _Tally:
    sent: int = 0
    told: dict[str, int] = field(
        default_factory=lambda: {"accepted": 0, "duplicates": 0, "rejected": 0}
    )
    wrong: list[str] = field(default_factory=list)


def accounting(bench: Bench) -> Outcome:
    """Send batches with bad rows, as lists and as streams, and check the account of each."""
    rng = generator(0, "accounting")
    tally = _Tally()
    with bench.running(bench.project(bench.worlds.small, bench.room())) as running:
        for n in range(bench.scale.n_batches):
            bad = float(rng.uniform(_LEAST_BAD, _MOST_BAD))
            _try_batch(running, rng, tally, name=f"b{n}", bad=bad, is_stream=n % 2 == 0)
        n_logged = running.service.store.last_seq()
    if n_logged != tally.told["accepted"]:
        tally.wrong.append(f"{tally.told['accepted']} were accepted, {n_logged} are in the log")
    measured = {"batches": bench.scale.n_batches, "sent": tally.sent, **tally.told}
    measured["unaccounted"] = tally.sent - sum(tally.told.values())
    return Outcome(measured, not tally.wrong, tally.wrong[0] if tally.wrong else "")


@contextmanager
def rejects_dropped() -> Iterator[None]:
    """Say nothing of rows that were not taken."""
    take = Sorted.take

    def silent(self: Sorted, line: int, row: Any) -> None:
        if not isinstance(row, Fault):
            take(self, line, row)

    with patch.object(Sorted, "take", silent):
        yield


def _try_batch(
    running: Running,
    rng: np.random.Generator,
    tally: _Tally,
    *,
    name: str,
    bad: float,
    is_stream: bool,
) -> None:
    among = [*BAD_ROWS, *NO_JSON] if is_stream else BAD_ROWS
    rows, expected = [], set[int]()
    for line in range(1, _ROWS + 1):
        if rng.random() < bad:
            rows.append(among[int(rng.integers(len(among)))])
            expected.add(line)
        else:
            rows.append(_good(rng, f"{name}-{line - (line > 1 and rng.random() < _TWICE)}"))
    if is_stream:
        body = "\n".join(rows).encode()
        answer = running.client.post("/v1/bulk/events", content=body)
    else:
        content = f"[{','.join(rows)}]".encode()
        headers = {"content-type": "application/json"}
        answer = running.client.post("/v1/events", content=content, headers=headers)
    tally.sent += len(rows)
    if answer.status_code != 200:
        tally.wrong.append(f"a batch was answered with {answer.status_code}: {answer.text[:200]}")
        return
    told = answer.json()
    for word in tally.told:
        tally.told[word] += told[word]
    tally.wrong += _faults(told, len(rows), expected)


def _good(rng: np.random.Generator, event_id: str) -> str:
    user, item = f"u{int(rng.integers(N_USERS))}", f"i{int(rng.integers(N_ITEMS))}"
    return json.dumps({"event_id": event_id, "kind": "click", "user": user, "item": item})


def _faults(told: Mapping[str, Any], n_rows: int, expected: set[int]) -> Sequence[str]:
    """Give what is wrong with the account of a batch."""
    found = []
    total = told["accepted"] + told["duplicates"] + told["rejected"]
    if total != n_rows:
        found.append(f"{n_rows} rows were sent, and the account tells of {total}")
    lines = {error["line"] for error in told["errors"]}
    if lines != expected or len(told["errors"]) != told["rejected"]:
        found.append(f"the lines {sorted(expected ^ lines)[:5]} are not rejected as they should")
    for error in told["errors"]:
        is_explained = error["code"] and error["detail"] and error["hint"]
        if not is_explained or not isinstance(error["pointer"], str):
            found.append(f"a reject without code, pointer and hint: {error}")
    return found
