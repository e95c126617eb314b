"""Telling every process whom to forget without writing down who it was."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections.abc import Iterable

from longtale.data.record import Record, RecordKind


def forgotten(user: str) -> Record:
    """Give the record that tells those who know a user to forget them, and others nothing.

    It holds a salted hash: who has the id can recognise it, nobody can read it.
    """
    salt = secrets.token_hex(16)
    body = {"salt": salt, "digest": _digest(salt, user)}
    return Record(
        RecordKind.FORGOTTEN, uuid.uuid4().hex, body, uuid.uuid4().hex, time.time_ns() // 1000
    )


def meant(record: Record, known: Iterable[str]) -> list[str]:
    """Give which of the known users such a record means."""
    body = {} if record.body is None else record.body
    return [user for user in known if _digest(body["salt"], user) == body["digest"]]


def _digest(salt: str, user: str) -> str:
    return hashlib.sha256((salt + user).encode()).hexdigest()
