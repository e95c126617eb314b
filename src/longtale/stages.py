"""How a job tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Advance = Callable[[int], None]
"""Is told how many units were done since the last call."""


class Stages(Protocol):
    """Shows the stages of a job."""

    def __call__(self, name: str, *, total: int | None) -> AbstractContextManager[Advance]:
        """Begin a stage of `total` units (None: unknown); the context ends it."""
        ...


def unseen(name: str, *, total: int | None) -> AbstractContextManager[Advance]:
    """Begin a stage that nobody looks at."""
    return nullcontext(lambda _: None)
