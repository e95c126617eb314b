"""Privacy: what people write of themselves is not kept, and whoever is forgotten is gone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from longtale.privacy import mask
from longtale.privacy.kind import Kind
from longtale.privacy.online import emails
from longtale.privacy.seeded import SeededText, seeded_texts
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running
from longtale.seeds import generator

LEAST_RECALL, FORGOTTEN_S = 0.98, 1.0
_LEAST_SIGNS = 10
"""Shorter values may stand in a file by chance."""
_SETTLED_S = 10.0
_N_OWN = 20


def personal_data(bench: Bench) -> Outcome:
    """Send texts with personal data, look for these in all that is kept; then forget somebody."""
    rng = generator(0, "personal data")
    texts = seeded_texts(rng, bench.scale.n_texts)
    user = f"somebody-{uuid.UUID(bytes=rng.bytes(16)).hex}"
    room = bench.room()
    with bench.running(bench.project(bench.worlds.small, room)) as running:
        kept = [_kept(running, n, text) for n, text in enumerate(texts)]
        missed = [text for text, record in zip(texts, kept, strict=True) if _holds(record, text)]
        _act_as(running, user)
        found = _files_with(room, _long_values(texts))
        receipt, took_s = _forgotten(running, user)
        left = [path for path, _ in _files_with(room, [user])]
    closed = [path for path, _ in _files_with(room, [user])]
    recall = 1 - len(missed) / len(texts)
    missed_kinds = sorted({each.kind.value for text in missed for each in text.planted})
    leaked = {value for _, value in found} - {value for text in missed for value in text.values}
    measured: dict[str, Any] = {
        "texts": len(texts),
        "recall": round(recall, 4),
        "missed_kinds": missed_kinds,
        "masked_and_yet_in_a_file": len(leaked),
        "forgotten_s": round(took_s, 3),
        "files_that_still_name_them": len({*left, *closed}),
        "receipt_verified": bool(receipt["verified"]),
    }
    wrong = [] if recall >= LEAST_RECALL else [f"of personal data {recall:.1%} is masked"]
    wrong += ["what was masked stands in a file"] if leaked else []
    wrong += [f"still named in {left or closed}"] if left or closed else []
    wrong += [] if receipt["verified"] else ["the receipt is not verified"]
    return Outcome(measured, not wrong, "; ".join(wrong), took_s / FORGOTTEN_S)


@contextmanager
def emails_kept() -> Iterator[None]:
    """Mask everything but addresses of e-mail."""
    finders = tuple(finder for finder in mask._FINDERS if finder is not emails)
    with patch.object(mask, "_FINDERS", finders):
        yield


def _kept(running: Running, n: int, text: SeededText) -> Mapping[str, Any]:
    """Send a text in one of the places where people write, and give what is kept of it."""
    client, store = running.client, running.service.store
    match n % 3:
        case 0:
            event = {
                "event_id": f"e{n}",
                "kind": "click",
                "user": f"w{n}",
                "item": "i1",
                "context": {"note": text.text},
            }
            client.post("/v1/events", json=event).raise_for_status()
            return store.find([f"e{n}"])[0].record.body or {}
        case 1:
            client.put(f"/v1/users/w{n}", json={"about": text.text}).raise_for_status()
            answer = client.get(f"/v1/users/w{n}").raise_for_status()
            return answer.json()
        case _:
            asked = {"text": text.text, "n": 1}
            slate = client.post("/v1/sessions/recommend", json=asked).raise_for_status().json()
            answer = client.get(f"/v1/slates/{slate['slate_id']}").raise_for_status()
            return answer.json()["asked"]


def _holds(record: Mapping[str, Any], text: SeededText) -> bool:
    content = orjson.dumps(record).decode()
    return any(orjson.dumps(value).decode()[1:-1] in content for value in text.values)


def _act_as(running: Running, user: str) -> None:
    """Leave traces of a user in every place there is."""
    client = running.client
    client.put(f"/v1/users/{user}", json={"about": "slow films"}).raise_for_status()
    taste = {"more": ["whales"], "less": [], "muted": ["i7"]}
    client.put(f"/v1/users/{user}/taste", json=taste).raise_for_status()
    for n in range(_N_OWN):
        event = {"kind": "click", "user": user, "item": f"i{n}"}
        client.post("/v1/events", json=event).raise_for_status()
        slate = client.get(f"/v1/recommend/{user}").raise_for_status().json()
    deadline = time.monotonic() + _SETTLED_S
    while running.service.keeper.n_waiting and time.monotonic() < deadline:
        time.sleep(0.05)
    client.get(f"/v1/slates/{slate['slate_id']}").raise_for_status()


def _forgotten(running: Running, user: str) -> tuple[Mapping[str, Any], float]:
    """Forget a user; give the receipt, and how long it took until nobody knew them any more."""
    begun = time.perf_counter()
    receipt = running.client.post(f"/v1/users/{user}/forget", json={}).raise_for_status().json()
    while running.client.get(f"/v1/users/{user}").status_code != 404:
        if time.perf_counter() > begun + _SETTLED_S:
            break
    took_s = time.perf_counter() - begun
    if running.client.get(f"/v1/users/{user}/export").status_code != 404:
        took_s = float("inf")
    return receipt, took_s


def _long_values(texts: Sequence[SeededText]) -> list[str]:
    kinds = set(Kind) - {Kind.NAME}  # a first name may be a word of a title
    return [
        value
        for text in texts
        for value, planted in zip(text.values, text.planted, strict=True)
        if len(value) >= _LEAST_SIGNS and planted.kind in kinds
    ]


def _files_with(folder: Path, words: Sequence[str]) -> list[tuple[str, str]]:
    """Give which files of a folder hold which of some words."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found += [(path.name, word) for word in words if word.encode() in content]
    return found
