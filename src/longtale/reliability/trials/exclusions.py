"""Exclusions hold: what was seen, hidden, muted, expired or ruled out is in no list."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import numpy as np

from longtale.arrays import Mask
from longtale.data.query import Queries
from longtale.data.record import Record, RecordKind
from longtale.recommend.answer import Answer
from longtale.recommend.dials import Dials
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.worlds import N_ITEMS, N_USERS
from longtale.seeds import generator
from longtale.serve import answering
from longtale.serve.answering import Ask, answered
from longtale.serve.likeness import alike
from longtale.serve.messages import SearchQuery
from longtale.serve.pace import Level
from longtale.serve.searching import searched
from longtale.serve.service import Service
from longtale.serve.world import World

_CHANGE_EVERY = 10  # slates
_PLACE_EVERY = 50
_LONGEST = 60  # of a slate: a fifth of the catalogue
_DAY = timedelta(days=1)
_FILTER = "genres = 'galaxy' or genres = 'romance'"
_EVERYWHERE = ("recommend", "similar", "search")


@dataclass
class _Known:
    """What may not be shown, kept by ids and beside the service."""

    seen: dict[str, set[str]]
    muted: dict[str, set[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    ruled: dict[str, set[str]] = field(default_factory=dict)

    def everywhere(self) -> set[str]:
        """Give what may be in no list at all."""
        return self.gone.union(*self.ruled.values())


def exclusions(bench: Bench) -> Outcome:
    """Change what is excluded again and again, and look for it in lists of every kind and rung."""
    rng = generator(0, "exclusions")
    wrong: list[str] = []
    counts = {"lists": bench.scale.n_slates, "items_shown": 0, "changes": 0}
    project = bench.project(bench.worlds.small, bench.room())
    with bench.running(project) as running:
        service = running.service
        known = _known_of(service)
        for n in range(bench.scale.n_slates):
            if n % _CHANGE_EVERY == 0:
                _change(service, known, rng)
                counts["changes"] += 1
            if n % _PLACE_EVERY == 0:
                service.engine.place()
            kind, shown, forbidden = _list(service, known, rng)
            counts["items_shown"] += len(shown)
            if shown & forbidden:
                wrong.append(f"{kind}: {sorted(shown & forbidden)[:3]}")
    detail = f"in a list and excluded: {wrong[0]}" if wrong else ""
    return Outcome({**counts, "lists_with_excluded": len(wrong)}, not wrong, detail)


@contextmanager
def seen_shown() -> Iterator[None]:
    """Show again what was seen."""

    def nothing(world: World, queries: Queries) -> Mask:
        return np.zeros(world.live.dataset.n_items, dtype=np.bool_)

    with patch.object(answering, "_met", nothing):
        yield


def _known_of(service: Service) -> _Known:
    dataset = service.engine.world.live.dataset
    rows = range(dataset.n_users)
    own = {
        dataset.users.ids[row]: set(dataset.items.ids_of(dataset.histories(np.array([row])).items))
        for row in rows
    }
    return _Known(own)


def _change(service: Service, known: _Known, rng: np.random.Generator) -> None:
    """Change one thing that bears on what may be shown."""
    user = _user(rng)
    item = _item(rng)
    some = [_item(rng) for _ in range(int(rng.integers(1, 20)))]
    match int(rng.integers(5)):
        case 0:
            kind = ("click", "dismiss")[int(rng.integers(2))]
            now = int(datetime.now(UTC).timestamp() * 1e6)
            _keep(service, RecordKind.EVENT, user, {"kind": kind, "item": item, "time": now})
            known.seen.setdefault(user, set()).add(item)
        case 1:
            _put_item(service, known, item, rng)
        case 2:
            _keep(service, RecordKind.TASTE, user, {"muted": some})
            known.muted[user] = set(some)
        case 3:
            rule = f"hide-{int(rng.integers(4))}"
            body = {"action": "hide", "items": some, "where": list(_EVERYWHERE)}
            _keep(service, RecordKind.RULE, rule, body)
            known.ruled[rule] = set(some)
        case _:
            body = {"action": "pin", "items": some[:3], "where": ["recommend"]}
            _keep(service, RecordKind.RULE, "pin", body)


def _put_item(service: Service, known: _Known, item: str, rng: np.random.Generator) -> None:
    """Let an item be shown or not, in one of the ways there are."""
    now = datetime.now(UTC)
    ways: tuple[tuple[bool, dict[str, Any] | None], ...] = (
        (True, {}),
        (True, {"available_until": (now + _DAY).isoformat()}),
        (False, {"hidden": True}),
        (False, {"available_until": (now - _DAY).isoformat()}),
        (False, {"available_from": (now + _DAY).isoformat()}),
        (False, None),
    )
    is_shown, body = ways[int(rng.integers(len(ways)))]
    document = None if body is None else {"title": f"The {item}", "genres": "galaxy", **body}
    _keep(service, RecordKind.ITEM, item, document)
    (known.gone.discard if is_shown else known.gone.add)(item)


def _list(
    service: Service, known: _Known, rng: np.random.Generator
) -> tuple[str, set[str], set[str]]:
    """Ask for a list; give its kind, what is in it, and what may not be."""
    world, views = service.engine.world, service.engine.views
    user, n = _user(rng), int(rng.integers(1, _LONGEST))
    forbidden = known.everywhere()
    draw = rng.random()
    if draw < 0.1:
        item = _item(rng)
        return "similar", _ids(alike(world, views, item, Ask(n=n), "blend")), forbidden | {item}
    if draw < 0.2:
        query = SearchQuery(q="the galaxy and the dragon", user=user, n=n)
        return "search", _ids(searched(world, views, query)), forbidden | _muted(known, user)
    ask = _ask(rng, user, n)
    forbidden |= known.seen.get(user, set()) | _muted(known, user) | {*ask.exclude, *ask.recent}
    if ask.filter:
        catalog = world.live.dataset.catalog
        others = catalog.frame["genres"].is_in(["galaxy", "romance"]).fill_null(False)
        forbidden |= set(catalog.items.ids.filter(~others))
    return ask.level.name.lower(), _ids(answered(world, views, ask)), forbidden


def _ask(rng: np.random.Generator, user: str, n: int) -> Ask:
    dials = Dials(
        diversity=float(rng.choice([0.0, 0.5])),
        long_tail=float(rng.choice([0.0, 0.5])),
        explore=float(rng.choice([0.0, 0.3])),
        at_most={"genres": 5} if rng.random() < 0.2 else {},
    )
    return Ask(
        user=user,
        recent=tuple(_item(rng) for _ in range(int(rng.integers(3)))),
        text="a galaxy of whales" if rng.random() < 0.2 else "",
        n=n,
        filter=_FILTER if rng.random() < 0.2 else "",
        exclude=tuple(_item(rng) for _ in range(int(rng.integers(5)))),
        dials=dials,
        level=Level(int(rng.integers(len(Level)))),
    )


def _keep(service: Service, kind: RecordKind, subject: str, body: Mapping[str, Any] | None) -> None:
    service.append([Record(kind, subject, body, uuid.uuid4().hex, 0)])


def _muted(known: _Known, user: str) -> set[str]:
    return known.muted.get(user, set())


def _ids(answer: Answer) -> set[str]:
    return {item.id for item in answer.items}


def _user(rng: np.random.Generator) -> str:
    return f"u{int(rng.integers(N_USERS + 5))}"


def _item(rng: np.random.Generator) -> str:
    return f"i{int(rng.integers(N_ITEMS))}"
