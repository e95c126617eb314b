"""Access keys: what they may do, how they are kept, and which of them opens.

A key is `lt_<id>_<secret>`. The secret has 256 random bits, so that its SHA-256 alone is kept: no
one can go through that many, and a slow hash (made for passwords, which people choose) would only
slow the service down. The id is no secret; it says which hash to compare with, and stands in logs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from longtale.data.record import Record, RecordKind

_ID_BYTES = 8
_SECRET_BYTES = 32
_TOKEN = re.compile(r"lt_([0-9a-f]{16})_[A-Za-z0-9_-]{43}", re.ASCII)


class Scope(StrEnum):
    """How far a key reaches; each reaches as far as those before it."""

    READ = "read"
    """Ask: recommend, search, explain."""
    WRITE = "write"
    """Tell: events, items, users, tastes, rules."""
    ADMIN = "admin"
    """Decide: models, keys, exports, forgetting."""

    def reaches(self, needed: Scope) -> bool:
        """Say whether this scope is enough where another is needed."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class Refusal(StrEnum):
    """Why a token opens nothing."""

    UNKNOWN = "unknown"
    """There is no such key, or its secret is another."""
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Key:
    """A key as it is kept.

    Args:
        id: names it in logs and lists.
        hash: SHA-256 of the whole token, in hex.
        scope: how far it reaches.
        name: whom or what it was made for.
        created_at: microseconds UTC.
        expires_at: microseconds UTC; None is never.
        is_revoked: opens nothing any more.
    """

    id: str
    hash: str = field(repr=False)
    scope: Scope
    name: str
    created_at: int
    expires_at: int | None = None
    is_revoked: bool = False

    def record(self, now: int) -> Record:
        """Give the record that keeps it as it is.

        Its id is drawn, since events bring ids of their own: one that is known beforehand could be
        taken by an event, and a key then not be revoked.
        """
        body = {
            "hash": self.hash,
            "scope": self.scope.value,
            "name": self.name,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "revoked": self.is_revoked,
        }
        return Record(RecordKind.KEY, self.id, body, uuid.uuid4().hex, now)

    def revoked(self) -> Key:
        """Give the key as one that opens nothing any more."""
        return replace(self, is_revoked=True)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made: the one moment at which its token is known.

    Args:
        token: what the caller will send; shown once, kept nowhere.
        key: what is kept of it.
    """

    token: str = field(repr=False)
    key: Key


def new_key(scope: Scope, name: str, *, now: int, expires_at: int | None = None) -> NewKey:
    """Make a key; append `key.record(now)` to the log and show the token.

    Example:
        >>> made = new_key(Scope.READ, "shop window", now=0)
        >>> ring = KeyRing().with_record(made.key.record(now=0))
        >>> ring.check(made.token, now=1).name
        'shop window'
    """
    key_id = secrets.token_hex(_ID_BYTES)
    token = f"lt_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(token, Key(key_id, _hash(token), scope, name, now, expires_at))


@dataclass(frozen=True)
class KeyRing:
    """All keys of the service, a view of the log."""

    keys: Mapping[str, Key] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no key was ever made; those that open nothing any more count too."""
        return not self.keys

    def with_record(self, record: Record) -> Self:
        """Give the ring that knows one more record; records of other kinds change nothing."""
        if record.kind is not RecordKind.KEY:
            return self
        keys = {key_id: key for key_id, key in self.keys.items() if key_id != record.subject}
        if record.body is not None:
            body = record.body
            keys[record.subject] = Key(
                id=record.subject,
                hash=body["hash"],
                scope=Scope(body["scope"]),
                name=body["name"],
                created_at=body["created_at"],
                expires_at=body["expires_at"],
                is_revoked=body["revoked"],
            )
        return replace(self, keys=keys)

    def check(self, token: str, *, now: int) -> Key | Refusal:
        """Give the key that a token opens with, or why it does not.

        Known, unknown and malformed tokens cost the same work: one hash, one comparison that does
        not stop at the first difference. Only who has the secret learns that a key has ended.
        """
        shape = _TOKEN.fullmatch(token)
        key = self.keys.get(shape[1]) if shape else None
        found = _hash(token if shape else _NO_TOKEN)
        is_same = hmac.compare_digest(found, key.hash if key else _NO_HASH)
        if key is None or not is_same:
            return Refusal.UNKNOWN
        if key.is_revoked:
            return Refusal.REVOKED
        if key.expires_at is not None and key.expires_at <= now:
            return Refusal.EXPIRED
        return key


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


_NO_TOKEN = f"lt_{'0' * 16}_{'0' * 43}"
_NO_HASH = _hash(secrets.token_urlsafe(_SECRET_BYTES))
"""What tokens without a key are compared with: the hash of something that nobody knows."""
