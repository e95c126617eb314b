"""Running the service: rules, models, keys; each change leaves a record of who made it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from longtale.arrays import microseconds
from longtale.data.record import Record, RecordKind
from longtale.errors import FilterError, LongtaleError, QueryError, StoreError, UnknownIdError
from longtale.recommend.answer import Json
from longtale.recommend.dials import Dials
from longtale.serve.answering import Ask, answered
from longtale.serve.audit import Doer
from longtale.serve.keys import Scope, new_key
from longtale.serve.problems import Code, Problem
from longtale.serve.records import put
from longtale.serve.rules import Rule
from longtale.serve.service import Service
from longtale.serve.world import Views

_TOLD = (
    *("longtale", "saved_at", "fingerprints", "n_users", "n_items", "n_interactions"),
    *("retrievers", "has_ranker"),
)
"""What of a manifest is given."""


def rules(service: Service) -> dict[str, Json]:
    """Give the rules of the editors, by id."""
    found = service.engine.views.rules
    return {"rules": [{"id": own, **rule.as_dict()} for own, rule in sorted(found.items())]}


def put_rule(service: Service, own_id: str, rule: Rule, doer: Doer) -> dict[str, Json]:
    """Set a rule; the next answer goes by it.

    Raises:
        Problem: it cannot be applied to the catalogue.
    """
    _make_sure_it_applies(service, rule)
    seq = put(service, RecordKind.RULE, own_id, rule.as_dict(), doer)
    return {"id": own_id, **rule.as_dict(), "seq": seq}


def delete_rule(service: Service, own_id: str, doer: Doer) -> dict[str, Json]:
    """Take a rule away.

    Raises:
        UnknownIdError: there is none of this id.
    """
    if own_id not in service.engine.views.rules:
        raise UnknownIdError(f"there is no rule '{own_id}'; see GET /v1/rules")
    return {"id": own_id, "seq": put(service, RecordKind.RULE, own_id, None, doer)}


def preview(service: Service, rule: Rule, user: str | None, n: int) -> dict[str, Json]:
    """Give a slate as it is and as it would be while one rule more holds; nothing is kept.

    Raises:
        Problem: the rule cannot be applied to the catalogue.
    """
    _make_sure_it_applies(service, rule)
    world, views = service.engine.world, service.engine.views
    with_rule = _with_rules(views, {**views.rules, "preview": _at_once(rule)})
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
        "before": [*before],
        "after": [*after],
        "came": came,
        "went": went,
        "moved": moved,
    }


def models(service: Service) -> dict[str, Json]:
    """Give the bundles that may answer, the active one marked."""
    active = service.engine.world.recommender.version
    found: list[Json] = []
    for version, (_, manifest) in service.registry.manifests().items():
        parts = manifest.get("parts", {})
        told: dict[str, Json] = {
            "version": version,
            "is_active": version == active,
            "refused": service.engine.refused.get(version),
            "digests": {name: part.get("sha256") for name, part in parts.items()},
            "bytes": sum(part.get("bytes", 0) for part in parts.values()),
        }
        found.append(told | {name: manifest[name] for name in _TOLD if name in manifest})
    return {"models": found, "active": active}


def promote(service: Service, version: str, doer: Doer) -> dict[str, Json]:
    """Let another bundle answer, here at once and in every process that follows the log.

    Raises:
        Problem: there is no such bundle, or it is not whole; the present one goes on.
        StoreError: it could not be told to the others; the present one goes on.
    """
    engine = service.engine
    before = engine.world.recommender.version
    if service.registry.find(version) is None and not engine.has_retired(version):
        known = ", ".join(service.registry.manifests())
        raise Problem(
            Code.UNKNOWN_ID, f"no bundle of version '{version}'", hint=f"there are {known}"
        )
    try:
        with service.noting_the_store():
            seq = engine.promote(version, lambda instead_of: _promotion(version, instead_of, doer))
    except StoreError:
        raise
    except (LongtaleError, OSError) as error:
        engine.refused[version] = str(error)
        service.telemetry.model_swapped("refused")
        raise Problem(
            Code.CONFLICT,
            f"the bundle of version '{version}' is refused: {error}",
            hint="the present model goes on answering",
        ) from None
    service.telemetry.model_swapped("promoted")
    note_model(service)
    return {"active": version, "instead_of": before, "seq": seq}


def rollback(service: Service, doer: Doer) -> dict[str, Json]:
    """Let the model that answered before answer again.

    Raises:
        Problem: none did.
    """
    promoted = service.engine.views.model
    if promoted is None or promoted.body is None:
        raise Problem(Code.CONFLICT, "no model was promoted yet, so there is none to go back to")
    return promote(service, str(promoted.body["instead_of"]), doer)


def make_key(service: Service, scope: Scope, name: str, doer: Doer) -> dict[str, Json]:
    """Make a key; its token is told here and never again."""
    now = time.time_ns() // 1000
    made = new_key(scope, name, now=now)
    seq = service.append([made.key.record(now), doer.record(made.key.id)]).seq
    return {
        "id": made.key.id,
        "scope": scope.value,
        "name": name,
        "token": made.token,
        "seq": seq,
    }


def keys(service: Service) -> dict[str, Json]:
    """Give the keys, without what opens."""
    return {
        "keys": [
            {"id": key.id, "scope": key.scope.value, "name": key.name, "revoked": key.is_revoked}
            for key in service.engine.views.keys.keys.values()
        ]
    }


def revoke_key(service: Service, own_id: str, doer: Doer) -> dict[str, Json]:
    """Let a key open nothing any more.

    Raises:
        UnknownIdError: there is none of this id.
    """
    key = service.engine.views.keys.keys.get(own_id)
    if key is None:
        raise UnknownIdError(f"there is no key '{own_id}'; see GET /v1/keys")
    record = key.revoked().record(time.time_ns() // 1000)
    return {
        "id": own_id,
        "revoked": True,
        "seq": service.append([record, doer.record(own_id)]).seq,
    }


def note_model(service: Service) -> None:
    """Tell the telemetry which model answers, and how much it knows."""
    world = service.engine.world
    _, manifest = service.registry.manifests().get(world.recommender.version, (None, {}))
    saved = manifest.get("saved_at")
    moment = 0 if saved is None else microseconds(datetime.fromisoformat(saved))
    service.telemetry.model_in_use(world.recommender.version, trained_at=moment)
    service.telemetry.sizes(items=world.live.dataset.n_items, users=world.live.n_users)


def _promotion(version: str, instead_of: str, doer: Doer) -> list[Record]:
    now = time.time_ns() // 1000
    body = {"instead_of": instead_of}
    record = Record(RecordKind.MODEL, version, body, uuid.uuid4().hex, now)
    return [record, doer.record(version)]


def _make_sure_it_applies(service: Service, rule: Rule) -> None:
    """Try a rule: one that cannot be applied would be passed over in every answer."""
    engine = service.engine
    try:
        rule.meant(engine.world.live.dataset.catalog)
    except FilterError as error:
        raise Problem(Code.BAD_FILTER, str(error), pointer="/filter") from None
    if rule.action != "limit":
        return
    try:
        world = engine.world
        dials = Dials(at_most={rule.column: rule.at_most})
        answered(world, _with_rules(engine.views, {}), Ask(n=1, dials=dials))
    except QueryError as error:
        raise Problem(Code.BAD_DATA, str(error), pointer="/column") from None


def _at_once(rule: Rule) -> Rule:
    """Give a rule that holds at once."""
    return rule.model_copy(update={"valid_from": None, "valid_until": None})


def _with_rules(views: Views, rules_: Mapping[str, Rule]) -> Views:
    """Give views that differ in the rules alone."""
    return replace(views, rules=dict(rules_))
