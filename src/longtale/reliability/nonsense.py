"""Requests that make no sense, drawn at random: the same under the same seed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from longtale.reliability.wire import request
from longtale.serve.app import ENDPOINTS
from longtale.serve.routing import Endpoint

_MB = 1024 * 1024
_LIMIT = 8 * _MB
_DEEP = 50_000
_BOMB_MB = 64
_BULK = "/v1/bulk/"
LONG = "x" * 300_000
VALUES: tuple[bytes, ...] = (
    b"null",
    b"true",
    b"-0",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 400,
    b"-" + b"9" * 30,
    b"0.1e-400",
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"\xed\xa0\x80"',
    b'"\xff\xfe"',
    b'"' + b"x" * 300_000 + b'"',
    b'"\xf0\x9f\xa6\x8a\\u202e"',
    b"[]",
    b"{}",
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
    b'["' + b'","'.join([b"i1"] * 20_000) + b'"]',
    b'{"$ref": "#", "__proto__": {}}',
    b'"2026-02-30T25:61:61Z"',
    b'"0001-01-01T00:00:00+14:00"',
    b'"9999-12-31T23:59:59-14:00"',
    b"undefined",
    b"{'a': 1}",
    b'{"a": 1,}',
    b'{"a": 1} trailing',
)
"""Values of JSON, or what is none, that have brought down others."""
WORDS: tuple[str, ...] = (
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "%F0%9F%A6%8A",
    "..%2f..%2fetc%2fpasswd",
    "%25",
    "%",
    "%zz",
    "a" * 3000,
    "-1",
    "1e309",
    "NaN",
    "99999999999999999999",
    "'%20or%201=1--",
    "%7b%7d",
    "%5b%5d",
    "genres%20has%20(",
    "((((((((((((((((((((" * 20,
    "not%20" * 400,
    "%0d%0aX-Injected:%20yes",
    "",
)
"""Parts of an address."""
RAW: tuple[bytes, ...] = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n{}",
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9e9\r\n\r\n{}",
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\n\r\n{}",
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /v1/status HTTP/1.1\r\n" + b"X-A: b\r\n" * 500 + b"\r\n",
    b"GET /v1/status HTTP/1.1\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: \x00\xff\r\n\r\n",
)
"""What is no request at all, or hardly one."""


class Nonsense:
    """Draws requests.

    Args:
        url: of the server.
        token: of a key that may do everything.
        rng: the dice.
    """

    def __init__(self, url: str, token: str, rng: np.random.Generator) -> None:
        self._url = url
        self._key = {"X-API-Key": token}
        self._rng = rng
        self._kinds: Sequence[Callable[[Endpoint], bytes]] = (
            self._bad_body,
            self._bad_body,
            self._bad_field,
            self._bad_field,
            self._bad_field,
            self._bad_address,
            self._bad_query,
            self._bad_packing,
            self._raw,
        )

    def next_request(self) -> bytes:
        """Give the bytes of one request."""
        endpoint = self._one_of(_ENDPOINTS)
        return self._one_of(self._kinds)(endpoint)

    def _bad_body(self, endpoint: Endpoint) -> bytes:
        return self._sent(endpoint, self._one_of(VALUES))

    def _bad_field(self, endpoint: Endpoint) -> bytes:
        """Put nonsense into one place of a body that is right otherwise."""
        fields = _fields(endpoint)
        if not fields:
            return self._bad_body(endpoint)
        chosen = self._one_of(sorted(fields))
        parts = [
            b"%s: %s"
            % (json.dumps(name).encode(), self._one_of(VALUES) if name == chosen else value)
            for name, value in fields.items()
        ]
        return self._sent(endpoint, b"{" + b", ".join(parts) + b"}")

    def _bad_address(self, endpoint: Endpoint) -> bytes:
        path = "/".join(
            self._one_of(WORDS) if part.startswith("{") else part
            for part in endpoint.path.split("/")
        )
        body = b"{}" if endpoint.method in ("POST", "PUT", "PATCH") else None
        return request(self._url, path, method=endpoint.method, body=body, headers=self._key)

    def _bad_query(self, endpoint: Endpoint) -> bytes:
        names = [*_fields(endpoint), "n", "unknown"]
        words = [f"{self._one_of(names)}={self._one_of(WORDS)}" for _ in range(3)]
        path = f"{filled(endpoint.path)}?{'&'.join(words)}"
        return request(self._url, path, method=endpoint.method, headers=self._key)

    def _bad_packing(self, endpoint: Endpoint) -> bytes:
        packing, body = self._one_of(_packed())
        headers = {**self._key, "Content-Encoding": packing}
        path = filled(endpoint.path)
        return request(self._url, path, method="POST", body=body, headers=headers)

    def _raw(self, endpoint: Endpoint) -> bytes:
        return self._one_of(RAW)

    def _sent(self, endpoint: Endpoint, body: bytes) -> bytes:
        path = filled(endpoint.path)
        return request(self._url, path, method=endpoint.method, body=body, headers=self._key)

    def _one_of(self, among: Sequence[Any]) -> Any:
        return among[int(self._rng.integers(len(among)))]


def oversized(url: str, token: str) -> list[bytes]:
    """Give requests whose bodies are larger than a body may be, each said in another way."""
    key = {"X-API-Key": token}
    content = b'"' + b"x" * _LIMIT + b'"'
    chunked = {**key, "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    head = request(url, "/v1/events", method="POST", headers=chunked)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    zipped = {**key, "Content-Encoding": "gzip"}
    bomb = gzip.compress(bytes(_BOMB_MB * _MB))
    return [
        request(url, "/v1/events", method="POST", body=content, headers=key),
        head + body,
        request(url, "/v1/events", method="POST", body=bomb, headers=zipped),
        request(url, "/v1/items/i1", method="PUT", body=bomb, headers=zipped),
    ]


def slow(url: str, token: str) -> list[bytes]:
    """Give requests of which only the beginning comes."""
    key = {"X-API-Key": token}
    whole = request(url, "/v1/events", method="POST", body=b" " * 1000, headers=key)
    return [whole[:40], whole[:-999], b"POST /v1/ev"]


_ENDPOINTS = tuple(
    endpoint
    for endpoint in ENDPOINTS
    # A key more or less would change who may ask from then on.
    if not (endpoint.path.startswith("/v1/keys") and endpoint.method != "GET")
)


def filled(path: str) -> str:
    """Give the path of an endpoint with a name in place of each brace."""
    names: Mapping[str, str] = {"{what}": "events", "{user}": "u1", "{item}": "i1"}
    for name, value in names.items():
        path = path.replace(name, value)
    return path.replace("{id}", "u1").replace("{slate_id}", "s1").replace("{version}", "v1")


def _fields(endpoint: Endpoint) -> Mapping[str, bytes]:
    """Give what an endpoint may be asked with: names, and a value in JSON that is right."""
    known = {} if endpoint.takes is None else dict.fromkeys(endpoint.takes.model_fields, b"1")
    example = endpoint.example or {}
    return known | {name: json.dumps(value).encode() for name, value in example.items()}


@cache
def _packed() -> Sequence[tuple[str, bytes]]:
    """Give bodies that are packed, with what they say of their packing."""
    bomb = gzip.compress(bytes(_BOMB_MB * _MB))
    good = gzip.compress(b'{"kind": "click", "user": "u1", "item": "i1"}')
    return (
        ("gzip", bomb),
        ("gzip", gzip.compress(bomb)),
        ("gzip, gzip", gzip.compress(good)),
        ("gzip", good[:-6]),
        ("gzip", good + b"more"),
        ("gzip", b"not packed at all"),
        ("deflate", good),
        ("br", good),
        ("gzip", b""),
        ("identity", good),
    )
