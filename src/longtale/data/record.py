"""What is kept of a running service: records in one order, and the slates that were shown.

One log holds all that changes what is answered: events, items, users, tastes, rules, keys, models.
Its numbering is the one clock of the service: who has applied number s knows all that was
acknowledged up to s. Whatever else is known is a view that can be made again by reading the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Body = Mapping[str, Any]
"""Plain values, as JSON holds them."""


class RecordKind(StrEnum):
    """What a record is about, which says what its subject is."""

    EVENT = "event"
    """A user did something; the subject is the user's id."""
    SESSION_EVENT = "session_event"
    """Somebody without an account did something; the subject is the session's id."""
    ITEM = "item"
    """An item as it is from now on; the subject is its id."""
    USER = "user"
    """A user's attributes as they are from now on; the subject is the user's id."""
    TASTE = "taste"
    """What a user asked for more or less of; the subject is the user's id."""
    RULE = "rule"
    """A rule of the editors; the subject is its id."""
    KEY = "key"
    """An access key, hashed; the subject is its id."""
    MODEL = "model"
    """A bundle was promoted; the subject is its version."""
    FORGOTTEN = "forgotten"
    """Somebody was forgotten; the subject is the receipt's id, nothing here says who."""
    AUDIT = "audit"
    """Somebody with a key changed something; the subject is the key's id."""


ABOUT_USERS = (RecordKind.EVENT, RecordKind.USER, RecordKind.TASTE)
"""Kinds whose subject is a user: what `forget` removes."""


@dataclass(frozen=True)
class Record:
    """One thing to remember.

    Args:
        kind: what it is about.
        subject: whom or what, see `RecordKind`.
        body: what is said of it; None says that it is gone.
        id: its own id: what comes twice under one id is kept once.
        at: when it was taken in, microseconds UTC.
    """

    kind: RecordKind
    subject: str
    body: Body | None
    id: str
    at: int


@dataclass(frozen=True)
class Stored:
    """A record and its place in the log, from 1 on."""

    seq: int
    record: Record


@dataclass(frozen=True)
class Appended:
    """What became of records that were handed in.

    Args:
        seq: number of the last record of the log, that of the last new one or later: who knows the
            log up to here knows all of these, the duplicates too.
        is_new: for each record in the order given, whether it was new.
    """

    seq: int
    is_new: tuple[bool, ...]


@dataclass(frozen=True)
class KeptSlate:
    """A slate as it was served.

    Args:
        id: of the slate.
        user: whom it was for; None for a session or nobody.
        at: when, microseconds UTC.
        body: the answer, and all that is needed to make it again.
    """

    id: str
    user: str | None
    at: int
    body: Body
