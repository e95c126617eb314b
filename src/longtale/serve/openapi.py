"""The OpenAPI 3.1 description of the service, made from the table of endpoints."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from longtale import __version__
from longtale.serve.problems import MEDIA_TYPE, Code
from longtale.serve.routing import Endpoint

_REF = "#/components/schemas/{model}"
_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"enum": [code.value for code in Code]},
        "detail": {"type": "string"},
        "pointer": {"type": "string", "description": "JSON pointer to what is wrong (RFC 6901)"},
        "hint": {"type": "string"},
        "request_id": {"type": "string"},
    },
}


def description(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Give the whole description, ready to be written as JSON."""
    endpoints = list(endpoints)
    models = {e.takes: None for e in endpoints if e.takes is not None}
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Longtale",
            "version": __version__,
            "description": "Recommendations and search that learn from the next click.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Problem": _PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    told = inspect.getdoc(endpoint.handle) or ""
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}_{_word(endpoint.path)}",
        "summary": told.partition("\n")[0],
        "tags": [endpoint.path.split("/")[2]],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", endpoint.path)
        ],
        "responses": {
            str(endpoint.status): _answer(endpoint),
            "default": {
                "description": "What went wrong (RFC 9457)",
                "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
            },
        },
        "security": [] if endpoint.scope is None else [{"bearer": []}, {"key": []}],
    }
    if endpoint.scope is not None:
        operation["x-scope"] = endpoint.scope.value
    if endpoint.method in ("GET", "DELETE"):
        operation["parameters"] += _query(endpoint.takes)
    elif (body := _body(endpoint)) is not None:
        operation["requestBody"] = body
    return operation


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    if not endpoint.gives:
        return {"description": "Text", "content": {"text/plain": {}}}
    shape = {"schema": {"type": "object"}, "example": dict(endpoint.gives)}
    return {"description": "All is well", "content": {"application/json": shape}}


def _body(endpoint: Endpoint) -> dict[str, Any] | None:
    if endpoint.takes is None and endpoint.example is None:
        return None
    model = endpoint.takes
    schema: dict[str, Any] = {"type": "object"}
    if model is not None:
        schema = {"$ref": _REF.format(model=model.__name__)}
    media_type = "application/x-ndjson" if "/bulk/" in endpoint.path else "application/json"
    shape: dict[str, Any] = {"schema": schema}
    if endpoint.example is not None:
        shape["example"] = dict(endpoint.example)
    return {"required": bool(endpoint.example), "content": {media_type: shape}}


def _query(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=_REF)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": shape.pop("description", ""),
            **_in_address(shape),
        }
        for name, shape in schema["properties"].items()
    ]


def _in_address(shape: dict[str, Any]) -> dict[str, Any]:
    """Say how a value stands in an address: lists with commas, objects as JSON."""
    if shape.get("type") == "object":
        return {"content": {"application/json": {"schema": shape}}}
    return {"schema": shape, **({"explode": False} if shape.get("type") == "array" else {})}


def _word(path: str) -> str:
    return re.sub(r"\W+", "_", path.removeprefix("/v1")).strip("_")
