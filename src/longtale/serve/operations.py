"""Running the service: rules, models, keys, and how things stand."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from longtale.arrays import microseconds
from longtale.data.record import Record, RecordKind
from longtale.data.splits.bands import BANDS
from longtale.errors import BundleError, UnknownIdError
from longtale.recommend.answer import Json
from longtale.recommend.folder import verified
from longtale.serve.answering import Ask, answered
from longtale.serve.keys import Scope, new_key
from longtale.serve.problems import Code, Problem
from longtale.serve.records import put
from longtale.serve.rules import Rule
from longtale.serve.service import Service
from longtale.serve.world import Views

_METRICS = ("longtale", "version", "saved_at", "retrievers", "fingerprint", "dataset")


def rules(service: Service) -> dict[str, Json]:
    """Give the rules of the editors, by id."""
    found = service.engine.views.rules
    return {"rules": [{"id": own, **_plain(rule)} for own, rule in sorted(found.items())]}


def put_rule(service: Service, own_id: str, rule: Rule) -> dict[str, Json]:
    """Set a rule; the next answer goes by it."""
    seq = put(service, RecordKind.RULE, own_id, _plain(rule))
    return {"id": own_id, **_plain(rule), "seq": seq}


def delete_rule(service: Service, own_id: str) -> dict[str, Json]:
    """Take a rule away.

    Raises:
        UnknownIdError: there is none of this id.
    """
    if own_id not in service.engine.views.rules:
        raise UnknownIdError(f"there is no rule '{own_id}'; see GET /v1/rules")
    return {"id": own_id, "seq": put(service, RecordKind.RULE, own_id, None)}


def preview(service: Service, rule: Rule, user: str | None, n: int) -> dict[str, Json]:
    """Give a slate as it is and as it would be with one rule more; nothing is kept."""
    world, views = service.engine.world, service.engine.views
    with_rule = replace_rules(views, {**views.rules, "preview": rule})
    ask = Ask(user=user, n=n)
    before, after = (
        [item.id for item in answered(world, some, ask).items] for some in (views, with_rule)
    )
    came: list[Json] = [item for item in after if item not in before]
    went: list[Json] = [item for item in before if item not in after]
    moved: list[Json] = [
        {"id": item, "from": before.index(item) + 1, "to": after.index(item) + 1}
        for item in after
        if item in before and before.index(item) != after.index(item)
    ]
    return {
        "before": list(before),
        "after": list(after),
        "came": came,
        "went": went,
        "moved": moved,
    }


def replace_rules(views: Views, rules_: Mapping[str, Rule]) -> Views:
    """Give views that differ in the rules alone."""
    return replace(views, rules=dict(rules_))


def models(service: Service) -> dict[str, Json]:
    """Give the bundles that may answer, the active one marked."""
    active = service.engine.world.recommender.version
    found: list[Json] = []
    for version, (_, manifest) in service.registry.manifests().items():
        parts: dict[str, Any] = manifest.get("parts", {})
        told: dict[str, Json] = {
            "version": version,
            "is_active": version == active,
            "refused": service.engine.refused.get(version),
            "n_parts": len(parts),
            "bytes": sum(part.get("bytes", 0) for part in parts.values()),
        }
        told |= {name: manifest[name] for name in _METRICS if name in manifest}
        found.append(told)
    return {"models": found, "active": active}


def promote(service: Service, version: str) -> dict[str, Json]:
    """Let another bundle answer, here at once and in every process that follows the log.

    Raises:
        Problem: there is no such bundle, or it is not whole; the present one goes on.
    """
    folder = service.registry.find(version)
    if folder is None:
        known = ", ".join(service.registry.manifests())
        raise Problem(
            Code.UNKNOWN_ID, f"no bundle of version '{version}'", hint=f"there are {known}"
        )
    before = service.engine.world.recommender.version
    try:
        if not service.engine.has_retired(version):
            verified(folder)
        service.engine.promote(version)
    except BundleError as error:
        service.engine.refused[version] = str(error)
        service.telemetry.model_swapped("refused")
        raise Problem(
            Code.CONFLICT, str(error), hint="the present model goes on answering"
        ) from None
    record = Record(
        RecordKind.MODEL, version, {"instead_of": before}, uuid.uuid4().hex, time.time_ns() // 1000
    )
    seq = service.append([record]).seq
    service.telemetry.model_swapped("promoted")
    note_model(service)
    return {"active": version, "instead_of": before, "seq": seq}


def rollback(service: Service) -> dict[str, Json]:
    """Let the model that answered before answer again.

    Raises:
        Problem: none did.
    """
    promoted = service.engine.views.model
    if promoted is None or promoted.body is None:
        raise Problem(Code.CONFLICT, "no model was promoted yet, so there is none to go back to")
    return promote(service, str(promoted.body["instead_of"]))


def make_key(service: Service, scope: Scope, name: str) -> dict[str, Json]:
    """Make a key; its token is told here and never again."""
    now = time.time_ns() // 1000
    made = new_key(scope, name, now=now)
    service.append([made.key.record(now)])
    return {"id": made.key.id, "scope": scope.value, "name": name, "token": made.token}


def keys(service: Service) -> dict[str, Json]:
    """Give the keys, without what opens."""
    return {
        "keys": [
            {"id": key.id, "scope": key.scope.value, "name": key.name, "revoked": key.is_revoked}
            for key in service.engine.views.keys.keys.values()
        ]
    }


def revoke_key(service: Service, own_id: str) -> dict[str, Json]:
    """Let a key open nothing any more.

    Raises:
        UnknownIdError: there is none of this id.
    """
    key = service.engine.views.keys.keys.get(own_id)
    if key is None:
        raise UnknownIdError(f"there is no key '{own_id}'; see GET /v1/keys")
    seq = service.append([key.revoked().record(time.time_ns() // 1000)]).seq
    return {"id": own_id, "revoked": True, "seq": seq}


def status(service: Service) -> dict[str, Json]:
    """Say how things stand."""
    engine = service.engine
    world, dataset = engine.world, engine.world.live.dataset
    return {
        "model_version": world.recommender.version,
        "seq": world.seq,
        "users": world.live.n_users,
        "items": dataset.n_items,
        "waiting_to_be_placed": len(world.unplaced),
        "waiting_to_be_learned": len(world.live.pending),
        "kinds": list(world.kinds),
        "columns": {name: str(dtype) for name, dtype in dataset.catalog.frame.schema.items()},
        "rules": len(engine.views.rules),
        "degraded": list(service.degraded),
        "refused": dict(engine.refused),
        "up_since": datetime.fromtimestamp(service.started_at, UTC).isoformat(timespec="seconds"),
    }


def exposure(service: Service) -> dict[str, Json]:
    """Say how interest is spread over the bands of the catalogue."""
    recommender = service.engine.world.recommender
    counts = recommender.dataset.item_counts
    bands = recommender.presenter.bands
    return {
        "bands": [
            {
                "band": band.value,
                "items": int((bands == code).sum()),
                "interactions": int(counts[bands == code].sum()),
            }
            for code, band in enumerate(BANDS)
        ],
        "never_touched": int(np.count_nonzero(counts == 0)),
    }


def note_model(service: Service) -> None:
    """Tell the telemetry which model answers, and how much it knows."""
    world = service.engine.world
    _, manifest = service.registry.manifests().get(world.recommender.version, (None, {}))
    saved = manifest.get("saved_at")
    moment = 0 if saved is None else microseconds(datetime.fromisoformat(saved))
    service.telemetry.model_in_use(world.recommender.version, trained_at=moment)
    service.telemetry.sizes(items=world.live.dataset.n_items, users=world.live.n_users)


def _plain(rule: Rule) -> dict[str, Json]:
    return rule.model_dump(mode="json", exclude_defaults=True)
