"""Endpoints for those who run the service: rules, models, keys, health, metrics, status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response

from longtale.recommend.answer import Json
from longtale.serve import operations, standing
from longtale.serve.keys import Scope
from longtale.serve.messages import Id, Message, checked_id
from longtale.serve.problems import Code, Problem
from longtale.serve.routing import Call, Endpoint, as_json
from longtale.serve.rules import Rule


class PreviewQuery(Message):
    """A rule to be tried."""

    rule: Rule
    """The rule; it is not kept."""
    user: Id | None = None
    """For whom; without it, for anybody."""
    n: int = Field(default=10, ge=1, le=200)
    """Length of the slates that are compared."""


class NewKeyQuery(Message):
    """A key to be made."""

    scope: Scope
    """What it allows: read, write or admin."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """What it is for."""


class AuditQuery(Message):
    """A request for what was changed, and by whom."""

    after: int = Field(default=0, ge=0)
    """Number of the log behind which to begin: what the part before gave as `next`."""
    limit: int = Field(default=100, ge=1, le=1000)
    """How many."""
    key: Id | None = None
    """Id of a key: its latest changes alone, without parts."""


async def list_rules(call: Call) -> Mapping[str, Json]:
    """Give the rules of the editors."""
    return operations.rules(call.service)


async def put_rule(call: Call) -> Mapping[str, Json]:
    """Set a rule: pin, boost, bury, hide, or limit per group, with the time in which it holds."""
    own_id = checked_id(call.path("id"))
    return await call.work(operations.put_rule, call.service, own_id, call.values, call.doer)


async def delete_rule(call: Call) -> Mapping[str, Json]:
    """Take a rule away."""
    return await call.work(operations.delete_rule, call.service, call.path("id"), call.doer)


async def preview_rule(call: Call) -> Mapping[str, Json]:
    """Show what a rule would change, without setting it."""
    asked: PreviewQuery = call.values
    return await call.work(operations.preview, call.service, asked.rule, asked.user, asked.n)


async def list_models(call: Call) -> Mapping[str, Json]:
    """Give the bundles that may answer, with what their manifests say."""
    return await call.work(operations.models, call.service)


async def promote(call: Call) -> Mapping[str, Json]:
    """Let another bundle answer; it is checked byte by byte first."""
    return await call.work(operations.promote, call.service, call.path("version"), call.doer)


async def rollback(call: Call) -> Mapping[str, Json]:
    """Let the model before this one answer again."""
    return await call.work(operations.rollback, call.service, call.doer)


async def list_keys(call: Call) -> Mapping[str, Json]:
    """Give the keys, without what opens."""
    return operations.keys(call.service)


async def make_key(call: Call) -> Mapping[str, Json]:
    """Make a key; its token is told here and never again."""
    asked: NewKeyQuery = call.values
    return await call.work(operations.make_key, call.service, asked.scope, asked.name, call.doer)


async def revoke_key(call: Call) -> Mapping[str, Json]:
    """Let a key open nothing any more."""
    return await call.work(operations.revoke_key, call.service, call.path("id"), call.doer)


async def exposure(call: Call) -> Mapping[str, Json]:
    """Say how interest is spread over head, torso, tail and new items."""
    return await call.work(standing.exposure, call.service)


async def jobs(call: Call) -> Mapping[str, Json]:
    """Say what this process does beside answering, how it went last, and what waits for it."""
    return await call.work(standing.jobs, call.service)


async def evaluations(call: Call) -> Mapping[str, Json]:
    """Give the reports of `longtale evaluate` that lie beside the bundle, the latest first."""
    return await call.work(standing.evaluations, call.service.folder / standing.EVALUATIONS)


async def drift(call: Call) -> Mapping[str, Json]:
    """Compare the events of the last hour and day with those before: kinds, new users and items."""
    return await call.work(standing.drift, call.service)


async def audit(call: Call) -> Mapping[str, Json]:
    """Give what was changed with which key, the oldest first; users are not named."""
    asked: AuditQuery = call.values
    return await call.work(standing.changes, call.service, asked.after, asked.limit, asked.key)


async def status(call: Call) -> Mapping[str, Json]:
    """Say how things stand: model, log, catalogue, what is degraded and why."""
    return standing.status(call.service)


async def live(call: Call) -> Mapping[str, Json]:
    """Say that the process runs."""
    return {"status": "live"}


async def ready(call: Call) -> Response:
    """Say whether this process can answer: the model is whole, the store was reached."""
    degraded = call.service.degraded
    if call.service.gate.is_draining:
        raise Problem(Code.STOPPING, "this process is about to stop", headers={"Retry-After": "1"})
    return as_json({"status": "ready", "degraded": list(degraded)})


async def metrics(call: Call) -> Response:
    """Give the metrics in Prometheus' text format."""
    content, media_type = await call.work(call.service.telemetry.exposition)
    return Response(content, headers={"content-type": media_type})


_RULE: dict[str, Json] = {"action": "boost", "filter": "genres has 'Drama'", "strength": 2.0}
_MODEL: dict[str, Json] = {"active": "3f0c1a2b4d5e", "instead_of": "9b8c7d6e5f4a", "seq": 1050}

ENDPOINTS = (
    Endpoint("GET", "/v1/rules", Scope.READ, list_rules, None, {"rules": [_RULE]}),
    Endpoint(
        "POST",
        "/v1/rules/preview",
        Scope.READ,
        preview_rule,
        PreviewQuery,
        {"came": []},
        {"rule": _RULE, "user": "1"},
    ),
    Endpoint("PUT", "/v1/rules/{id}", Scope.WRITE, put_rule, Rule, {"id": "r-1", **_RULE}, _RULE),
    Endpoint("DELETE", "/v1/rules/{id}", Scope.WRITE, delete_rule, None, {"id": "r-1", "seq": 7}),
    Endpoint("GET", "/v1/models", Scope.READ, list_models, None, {"models": [], "active": "3f0"}),
    Endpoint("POST", "/v1/models/rollback", Scope.ADMIN, rollback, None, _MODEL, {}),
    Endpoint("POST", "/v1/models/{version}/promote", Scope.ADMIN, promote, None, _MODEL, {}),
    Endpoint("GET", "/v1/keys", Scope.ADMIN, list_keys, None, {"keys": []}),
    Endpoint(
        "POST",
        "/v1/keys",
        Scope.ADMIN,
        make_key,
        NewKeyQuery,
        {"token": "lt_..."},
        {"scope": "read", "name": "shop window"},
    ),
    Endpoint("DELETE", "/v1/keys/{id}", Scope.ADMIN, revoke_key, None, {"revoked": True}),
    Endpoint("GET", "/v1/exposure", Scope.READ, exposure, None, {"bands": []}),
    Endpoint("GET", "/v1/jobs", Scope.READ, jobs, None, {"jobs": []}),
    Endpoint("GET", "/v1/evaluations", Scope.READ, evaluations, None, {"evaluations": []}),
    Endpoint("GET", "/v1/drift", Scope.READ, drift, None, {"windows": {}}),
    Endpoint("GET", "/v1/audit", Scope.ADMIN, audit, AuditQuery, {"changes": [], "next": None}),
    Endpoint("GET", "/v1/status", Scope.READ, status, None, {"seq": 1042, "degraded": []}),
    Endpoint("GET", "/v1/health/live", None, live, None, {"status": "live"}),
    Endpoint("GET", "/v1/health/ready", None, ready, None, {"status": "ready", "degraded": []}),
    Endpoint("GET", "/v1/metrics", Scope.READ, metrics),
)
