"""What may be turned from request to request: how a slate is made of what was scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longtale.errors import QueryError


@dataclass(frozen=True)
class Dials:
    """The dials of one request; all at rest gives the best items in order.

    Args:
        diversity: 0 to 1, how far an item that resembles those before it gives way.
        long_tail: 0 to 1, how far less known items are lifted.
        at_most: by column of the catalogue (a brand, an author, genres), the most items of one
            value in the slate.
        at_least_new: how many items that nobody has touched the slate holds, where there are any.
        explore: 0 to 1, probability with which each place from the third on is lent to a random
            candidate; the slate then says with which probability each item stood where it stands.

    Raises:
        QueryError: a dial is out of its range.
    """

    diversity: float = 0.0
    long_tail: float = 0.0
    at_most: Mapping[str, int] = field(default_factory=dict)
    at_least_new: int = 0
    explore: float = 0.0

    def __post_init__(self) -> None:
        for name in ("diversity", "long_tail", "explore"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise QueryError(f"{name} is {value}; it must be from 0 (at rest) to 1 (full)")
        for column, most in self.at_most.items():
            if most < 1:
                raise QueryError(f"at most {most} items of one '{column}'; it must be at least 1")
        if self.at_least_new < 0:
            raise QueryError(f"at_least_new is {self.at_least_new}; it must be 0 or more")

    @property
    def reorders(self) -> bool:
        """Whether anything goes beyond the scores of single items."""
        return bool(self.diversity or self.at_most or self.at_least_new or self.explore)


AT_REST = Dials()
