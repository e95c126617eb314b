"""One request of a client, without the network: how it is written."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote

from longtale.errors import QueryError
from longtale.recommend.answer import Json

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request.

    Args:
        method: of HTTP.
        path: with its parts escaped.
        query: parameters.
        body: None where there is none.
        media_type: of the body.
        is_repeatable: doing it twice is the same as doing it once.
        is_patient: ask again where it is refused for the moment.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    media_type: str = "application/json"
    is_repeatable: bool = True
    is_patient: bool = True


Plan = Generator[Call, Any, T]
"""Yields the calls it wants made, is sent what was answered to each, and returns what its caller
gets. Most make one call."""


def get(path: str, query: Mapping[str, Any] | None = None) -> Call:
    """Give a call that asks; lists become several parameters of one name, objects JSON."""
    values = {} if query is None else query
    plain = {
        name: json_of(value).decode() if isinstance(value, Mapping) else value
        for name, value in values.items()
    }
    return Call("GET", path, plain)


def sending(method: str, path: str, body: Mapping[str, Any]) -> Call:
    """Give a call that sends an object."""
    return Call(method, path, body=json_of(body))


def path_of(*parts: str) -> str:
    """Give the path of parts, each escaped.

    Raises:
        QueryError: a part is empty, or holds half a character.

    Example:
        >>> path_of("items", "a/b")
        '/v1/items/a%2Fb'
    """
    for part in parts:
        if not part:
            raise QueryError("an id is empty; it must have at least one character")
    # What consists of dots would be read as a step up or down.
    return "/v1/" + "/".join(
        part.replace(".", "%2E") if part in (".", "..") else _escaped(part) for part in parts
    )


def json_of(value: object) -> bytes:
    """Give a value as JSON; times are written as ISO 8601.

    Raises:
        QueryError: JSON has no word for it.
    """
    try:
        text = json.dumps(
            value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain
        )
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise QueryError(f"this cannot be sent as JSON: {error}") from None


def _escaped(part: str) -> str:
    try:
        return quote(part, safe="")
    except UnicodeEncodeError:
        raise QueryError(f"the id {part!r} holds half a character") from None


def _plain(value: object) -> Json:
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"a {type(value).__name__} is neither text, number, list nor object")
