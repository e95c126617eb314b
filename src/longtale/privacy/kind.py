"""What counts as personal data here, and what stands in its place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of personal data; each is replaced by its name in brackets."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    """Number of a payment card."""
    IBAN = "iban"
    """Number of a bank account."""
    IP = "ip"
    """Address of a machine on the internet."""
    NATIONAL_ID = "national-id"
    """Number that a state gives to a person."""
    URL = "url"
    """Address of a page with a password, token or key in it."""
    SECRET = "secret"
    """Password, key or token."""
    ADDRESS = "address"
    """Street address."""
    POSTCODE = "postcode"
    BIRTH_DATE = "birth-date"
    NAME = "name"
    """Name that somebody gives as their own or signs with."""
    HANDLE = "handle"
    """Name of an account."""


@dataclass(frozen=True, order=True)
class Found:
    """Personal data in a text.

    Args:
        start: place of its first character.
        end: place behind its last character.
        kind: what it is.
    """

    start: int
    end: int
    kind: Kind
