"""What kinds of events there are and how much interest each of them shows."""

from __future__ import annotations

from pydantic import Field

from longtale.settings import Settings


class EventKind(Settings):
    """One kind of event and how much interest it shows."""

    name: str = Field(min_length=1, max_length=64)
    """The word that stands in the kind column, such as `click`."""
    weight: float = Field(default=1.0, ge=-100, le=100)
    """Interest that one such event shows; 0 or less means seen but not wanted (a dismissal)."""
    min_value: float | None = None
    """Events whose value (a rating, seconds watched) is below this show no interest."""


DEFAULT_KINDS: tuple[EventKind, ...] = (
    EventKind(name="view", weight=0.5),
    EventKind(name="click", weight=1.0),
    EventKind(name="play", weight=1.0),
    EventKind(name="cart", weight=2.0),
    EventKind(name="buy", weight=3.0),
    EventKind(name="rate", weight=1.0),
    EventKind(name="dismiss", weight=-1.0),
)
"""Kinds that are known without being declared; a user's own are declared in the settings."""
