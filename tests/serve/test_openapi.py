"""The description of the API is valid, whole, and true: every example in it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from longtale.serve.app import ENDPOINTS
from longtale.serve.keys import Scope
from longtale.serve.openapi import description
from longtale.serve.routing import Endpoint

API = description(ENDPOINTS)
OPERATIONS = [
    (path, method, operation)
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
]
PATHS = {"user": "u0", "item": "i1", "id": "r-1", "what": "events", "version": "second"}


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def values_in(tree: object, name: str) -> Iterator[Any]:
    """Give all that stands under a name, however deep."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name:
                yield value
            yield from values_in(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from values_in(value, name)


def test_it_is_valid_openapi_3_1():
    OPENAPI_31_VALIDATOR.validate(json.loads(json.dumps(API)))
    assert not OPENAPI_31_VALIDATOR.is_valid({**API, "paths": {"x": {"get": 1}}})


def test_every_endpoint_is_described_once_with_its_scope_and_parameters():
    assert len(OPERATIONS) == len(ENDPOINTS) == len({named(e) for e in ENDPOINTS})
    assert len({operation["operationId"] for *_, operation in OPERATIONS}) == len(ENDPOINTS)
    for endpoint in ENDPOINTS:
        told = API["paths"][endpoint.path][endpoint.method.lower()]
        assert len(told["summary"]) > 10, named(endpoint)
        assert told.get("x-scope") == (None if endpoint.scope is None else endpoint.scope.value)
        assert bool(told["security"]) == (endpoint.scope is not None)
        own = [p["name"] for p in told["parameters"] if p["in"] == "path"]
        assert own == re.findall(r"\{(\w+)\}", endpoint.path)
        if endpoint.method in ("GET", "DELETE"):
            asked = {p["name"] for p in told["parameters"] if p["in"] == "query"}
            takes = endpoint.takes
            assert asked == (set() if takes is None else set(takes.model_fields))
            assert all(p["description"] for p in told["parameters"] if p["in"] == "query")


def test_all_references_lead_somewhere():
    found = list(values_in(API, "$ref"))
    assert found
    for reference in found:
        place: Any = API
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_every_field_of_a_message_says_what_it_is():
    for name, schema in API["components"]["schemas"].items():
        if name == "Problem" or "properties" not in schema:
            continue
        for field, shape in schema["properties"].items():
            assert shape.get("description"), f"{name}.{field}"


def test_only_health_needs_no_key():
    is_open = {e.path for e in ENDPOINTS if e.scope is None}
    assert is_open == {"/v1/health/live", "/v1/health/ready"}
    decide = [e for e in ENDPOINTS if "/keys" in e.path or "/audit" in e.path or "forget" in e.path]
    assert {e.scope for e in decide} == {Scope.ADMIN}
    for endpoint in ENDPOINTS:
        if endpoint.method in ("PUT", "PATCH", "DELETE"):
            assert endpoint.scope in (Scope.WRITE, Scope.ADMIN), named(endpoint)


def prepared(client, endpoint: Endpoint) -> dict[str, str]:
    """Make sure that what an example speaks of is there; give the names in its path."""
    names = dict(PATHS)
    client.put("/v1/items/1", json={"title": "x"})
    client.put("/v1/items/318", json={"title": "x"})
    if endpoint.path.startswith(("/v1/items", "/v1/users")):
        client.put("/v1/items/i1", json={"title": "x", "genres": "y"})
        client.put("/v1/users/u0", json={"about": "x"})
        names["id"] = "u0" if "/users/" in endpoint.path else "i1"
    if endpoint.path.startswith("/v1/rules"):
        rule = {"action": "boost", "filter": "genres has 'love'", "strength": 2}
        client.put("/v1/rules/r-1", json=rule)
    if endpoint.path.endswith("rollback"):
        client.post("/v1/models/second/promote")
    if "{slate_id}" in endpoint.path:
        slate = client.get("/v1/recommend/u0").json()
        names |= {"slate_id": slate["slate_id"], "item": slate["items"][0]["id"]}
    return names


def asked(client, endpoint: Endpoint):
    """Send an endpoint's own example."""
    names = prepared(client, endpoint)
    headers = {}
    if endpoint.path == "/v1/keys/{id}":
        made = [
            client.post("/v1/keys", json={"scope": "admin", "name": "x"}, headers=headers).json()
        ]
        headers = {"x-api-key": made[0]["token"]}
        names["id"] = made[0]["id"]
    path = endpoint.path.format(**names)
    if endpoint.method in ("GET", "DELETE"):
        query = {"/v1/search": {"q": "space"}, "/v1/why-not": {"item": "i1"}}.get(path, {})
        return client.request(endpoint.method, path, params=query, headers=headers)
    body = API["paths"][endpoint.path][endpoint.method.lower()].get("requestBody")
    if body is None:
        return client.request(endpoint.method, path, headers=headers)
    [(media_type, shape)] = body["content"].items()
    headers["content-type"] = media_type
    content = json.dumps(shape.get("example", {}))
    return client.request(endpoint.method, path, content=content, headers=headers)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=named)
def test_every_example_runs_and_gives_what_it_promises(client, endpoint):
    answer = asked(client, endpoint)
    assert answer.status_code == endpoint.status, answer.text
    if not endpoint.gives:
        return
    told = answer.json()
    assert set(endpoint.gives) <= set(told), set(endpoint.gives) - set(told)
    for name, promised in endpoint.gives.items():
        if isinstance(promised, list) and promised and isinstance(promised[0], dict) and told[name]:
            assert set(promised[0]) <= {key for each in told[name] for key in each}
        elif isinstance(promised, dict) and name != "body":
            assert set(promised) <= set(told[name])
