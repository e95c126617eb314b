"""Who may do what: a key for each request, or nothing but this machine.

Where keys exist, a request says its own as `Authorization: Bearer lt_...` or `X-API-Key: lt_...`.
Where none was ever made, whoever asks from this very machine may do all, and no one else may do
anything. "From this machine" is more than the address of the connection: a page from anywhere that
is open in a browser here connects from here too. So the host that was asked for must be this
machine by name (a foreign name that points here is DNS rebinding), a request that a page sends must
come from a page of this service, and nothing may have come through a proxy.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asgi

from longtale.errors import SettingsError
from longtale.serve.headers import header, state_of
from longtale.serve.keys import Key, KeyRing, Refusal, Scope
from longtale.serve.problems import Code, Problem

Needed = Callable[[str, str], Scope | None]
"""Goes from a method and a path to the scope that it needs; None where it is open to all."""

LOCAL = Key(id="local", hash="", scope=Scope.ADMIN, name="this machine", created_at=0)
"""Whoever asks from this machine where no key was ever made."""
_SECRET_HEADERS = frozenset([b"authorization", b"x-api-key"])
_PROXY_HEADERS = frozenset([b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"])
_REALM = 'Bearer realm="longtale"'
_REASONS = {
    Refusal.UNKNOWN: "this key is not known",
    Refusal.REVOKED: "this key was revoked",
    Refusal.EXPIRED: "this key has expired",
}


def _now() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, eq=False)
class Auth:
    """Lets a request through that may do what it asks, with its key in the state as `key`.

    The key's token goes no further: nothing behind this layer can log what it does not see.
    Websockets are closed, since nothing here speaks them.

    Args:
        app: what is protected.
        ring: gives the keys as they are now.
        needed: what scope a method on a path needs.
        clock: microseconds UTC.
    """

    app: ASGIApp
    ring: Callable[[], KeyRing]
    needed: Needed
    clock: Callable[[], int] = _now

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            needed = self.needed(scope["method"], scope["path"])
            if needed is not None:
                state_of(scope)["key"] = self._admitted(scope, needed)
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _SECRET_HEADERS]
        await self.app(scope, receive, send)

    def _admitted(self, scope: Asgi, needed: Scope) -> Key:
        ring = self.ring()
        if ring.is_empty:
            return _local(scope)
        found = ring.check(_token(scope), now=self.clock())
        if isinstance(found, Refusal):
            raise _unauthenticated(_REASONS[found], error="invalid_token")
        if not found.scope.reaches(needed):
            raise Problem(
                Code.FORBIDDEN,
                f"key '{found.id}' has the scope '{found.scope}'; this needs '{needed}'",
                hint=f"ask with a key that has the scope '{needed}'",
                headers={
                    "WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{needed}"'
                },
            )
        return found


def key_of(scope: Asgi) -> Key | None:
    """Give whose request it is; None on paths that are open to all."""
    key: Key | None = state_of(scope).get("key")
    return key


def refuse_unsafe(host: str, ring: KeyRing) -> None:
    """Make sure that nobody serves others than this machine without a key.

    Raises:
        SettingsError: the host is not this machine alone, and there is no key.
    """
    if ring.is_empty and not is_loopback(host):
        raise SettingsError(
            f"serve.host is '{host}', which others can reach, and there is no key; "
            "make one with: longtale keys, or listen at 127.0.0.1"
        )


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Say whether a host, by name or address, is this machine seen from itself.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback if mapped is None else mapped.is_loopback


def _local(scope: Asgi) -> Key:
    """Give the key of this machine to who asks from it."""
    client = scope.get("client")
    headers = scope["headers"]
    host = (header(headers, b"host") or b"").decode("latin-1")
    origin = header(headers, b"origin")
    is_own_page = origin is None or origin.decode("latin-1").partition("://")[2] == host
    is_direct = _PROXY_HEADERS.isdisjoint(name for name, _ in headers)
    if client is None or not is_loopback(client[0]) or not is_direct:
        raise _unauthenticated("no key was ever made here, so that only this machine may ask")
    if not is_loopback(_host_name(host)) or not is_own_page:
        raise _unauthenticated(
            f"no key was ever made here, so that only this machine may ask, under its own name; "
            f"'{host}' is another, or the request comes from a page of another"
        )
    return LOCAL


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _token(scope: Asgi) -> str:
    """Give the one token of a request."""
    found = [
        (name, value.decode("latin-1"))
        for name, value in scope["headers"]
        if name in _SECRET_HEADERS
    ]
    if not found:
        raise _unauthenticated("the request says no key")
    if len(found) > 1:
        raise _unauthenticated(
            "the request says more than one key; send one", error="invalid_token"
        )
    name, value = found[0]
    if name == b"x-api-key":
        return value.strip()
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer":
        # The value stays unsaid: whatever stands there may be somebody's password.
        raise _unauthenticated("the header Authorization is not of the kind 'Bearer'")
    return token.strip()


def _unauthenticated(detail: str, *, error: str = "") -> Problem:
    return Problem(
        Code.UNAUTHENTICATED,
        detail,
        hint="send 'Authorization: Bearer lt_...'; make a key with: longtale keys",
        headers={"WWW-Authenticate": f'{_REALM}, error="{error}"' if error else _REALM},
    )
