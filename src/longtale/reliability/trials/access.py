"""Who may do what: every route, asked without a key, with a bad one, and with one of each scope."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from longtale.monitor.request_log import JsonLines
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.nonsense import filled
from longtale.reliability.running import Running
from longtale.serve.app import ENDPOINTS
from longtale.serve.keys import Scope
from longtale.serve.routing import Endpoint

_SCOPES = (Scope.READ, Scope.WRITE, Scope.ADMIN)  # each reaches as far as those before it
_BAD = f"lt_{'0' * 16}_{'A' * 43}"


def access(bench: Bench) -> Outcome:
    """Ask for everything as everybody, and look for the keys in all that was written."""
    room = bench.room()
    wrong: list[str] = []
    with _logged() as log, bench.running(bench.project(bench.worlds.small, room)) as running:
        tokens = _tokens(running)
        with _counted_comparisons() as compared:
            for endpoint in ENDPOINTS:
                for who, token in tokens.items():
                    status = _status(running, endpoint, token)
                    if not _is_right(endpoint, who, status):
                        wrong.append(f"{endpoint.method} {endpoint.path} as {who}: {status}")
        written = log.getvalue().encode()
    files = [path for path in room.rglob("*") if path.is_file()]
    secrets = [token.split("_", 2)[2] for who, token in tokens.items() if who in _SCOPES]
    n_found = _n_holding(secrets, [written, *map(Path.read_bytes, files)])
    n_asked = len(ENDPOINTS) * len(tokens)
    measured = {
        "routes": len(ENDPOINTS),
        "asked": n_asked,
        "wrong": len(wrong),
        "comparisons_in_constant_time": compared[0],
        "places_with_a_secret": n_found,
        "places_searched": len(files) + 1,
    }
    n_with_key = sum(e.scope is not None for e in ENDPOINTS) * (len(tokens) - 1)
    if compared[0] < n_with_key:
        wrong.append(f"{n_with_key} keys were checked with {compared[0]} comparisons")
    if n_found:
        wrong.append(f"{n_found} places hold a secret")
    return Outcome(measured, not wrong, wrong[0] if wrong else "")


@contextmanager
def scopes_skipped() -> Iterator[None]:
    """Let every key do everything."""
    with patch.object(Scope, "reaches", lambda self, needed: True):
        yield


def _tokens(running: Running) -> Mapping[str, str]:
    """Make a key of each scope; give what each asker says."""
    made = running.client.post("/v1/keys", json={"scope": "admin", "name": "trial"})
    admin = made.raise_for_status().json()["token"]
    tokens = {"nobody": "", "a stranger": _BAD, Scope.ADMIN.value: admin}
    for scope in (Scope.READ, Scope.WRITE):
        answer = running.client.post(
            "/v1/keys", json={"scope": scope, "name": "trial"}, headers={"X-API-Key": admin}
        )
        tokens[scope.value] = answer.raise_for_status().json()["token"]
    return tokens


def _status(running: Running, endpoint: Endpoint, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None if endpoint.method in ("GET", "DELETE") else dict(endpoint.example or {})
    path = filled(endpoint.path)
    answer = running.client.request(endpoint.method, path, json=body, headers=headers)
    return answer.status_code


def _is_right(endpoint: Endpoint, who: str, status: int) -> bool:
    if endpoint.scope is None:
        return status == 200
    if who not in _SCOPES:
        return status == 401
    if _SCOPES.index(Scope(who)) < _SCOPES.index(endpoint.scope):
        return status == 403
    return status not in (401, 403) and status < 500


def _n_holding(secrets: Sequence[str], contents: Sequence[bytes]) -> int:
    return sum(any(secret.encode() in content for secret in secrets) for content in contents)


@contextmanager
def _counted_comparisons() -> Iterator[list[int]]:
    """Count how often two hashes are compared in a time that does not tell where they differ."""
    counted = [0]
    compare = hmac.compare_digest

    def counting(one: str, other: str) -> bool:
        counted[0] += 1
        return compare(one, other)

    with patch.object(hmac, "compare_digest", counting):
        yield counted


@contextmanager
def _logged() -> Iterator[StringIO]:
    """Gather all that is logged, as the service writes it."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("longtale")
    before = logger.level, logger.handlers
    logger.setLevel(logging.DEBUG)
    logger.handlers = [handler]
    try:
        yield written
    finally:
        logger.setLevel(before[0])
        logger.handlers = before[1]
