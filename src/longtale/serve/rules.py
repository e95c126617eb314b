"""Rules of the editors: pin, boost, bury, hide, and limits per group, each with its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from longtale.arrays import Floats, Mask, microseconds
from longtale.data.catalog import Catalog
from longtale.data.filters.filter import parse_filter
from longtale.errors import FilterError
from longtale.recommend.answer import Json
from longtale.settings import Settings

Action = Literal["pin", "boost", "bury", "hide", "limit"]
Where = Literal["recommend", "similar", "search"]


class Rule(Settings):
    """What editors want of some items, in which lists and from when to when."""

    action: Action
    """`pin` puts an item at a place; `boost` and `bury` move items up and down by `strength`;
    `hide` keeps them out; `limit` allows at most so many of one value of a column."""
    items: tuple[str, ...] = Field(default=(), max_length=1000)
    """Ids of the items that are meant; for `pin` in the order of their places."""
    filter: str = Field(default="", max_length=2000)
    """Condition on attributes that also says which items are meant: `genres has 'Drama'`."""
    place: int = Field(default=1, ge=1, le=100)
    """First place of what is pinned; 1 is the top."""
    strength: float = Field(default=1.0, gt=0, le=10)
    """How far items are moved, in units of the score: 1 is felt, 5 outdoes nearly everything."""
    column: str = ""
    """Column whose values are limited, such as a brand."""
    at_most: int = Field(default=1, ge=1)
    """Most items of one value of that column."""
    where: tuple[Where, ...] = ("recommend",)
    """In which lists it holds; what is hidden is hidden everywhere it is named."""
    valid_from: datetime | None = None
    """From when on; without it, at once."""
    valid_until: datetime | None = None
    """Until when; without it, until it is taken away."""
    note: str = Field(default="", max_length=500)
    """Why, for those who come later."""

    @model_validator(mode="after")
    def _says_whom(self) -> Self:
        since, until = (_since_epoch(t) for t in (self.valid_from, self.valid_until))
        if self.action == "limit":
            if not self.column:
                raise ValueError("a limit needs the name of a column, such as 'brand'")
        elif not self.items and not self.filter.strip():
            raise ValueError(f"'{self.action}' needs items or a filter that says which are meant")
        if self.action == "pin" and not self.items:
            raise ValueError("'pin' needs the ids of the items to pin")
        if self.action in ("pin", "limit") and self.where != ("recommend",):
            raise ValueError(f"'{self.action}' holds in 'recommend' alone")
        if since is not None and until is not None and until <= since:
            raise ValueError("valid_until must lie behind valid_from")
        parse_filter(self.filter) if self.filter.strip() else None
        return self

    def as_dict(self) -> dict[str, Json]:
        """Give it as plain values, without what goes without saying."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def holds(self, where: Where, at: int) -> bool:
        """Say whether it holds in a kind of list at a time, microseconds UTC."""
        begins, ends = (_since_epoch(t) for t in (self.valid_from, self.valid_until))
        return (
            where in self.where and (begins is None or begins <= at) and (ends is None or at < ends)
        )

    def meant(self, catalog: Catalog) -> Mask:
        """Say which items it means, bool (N,); ids that are not there mean nothing."""
        mask = np.zeros(len(catalog), dtype=np.bool_)
        rows = catalog.items.rows(list(self.items))
        mask[rows[rows >= 0]] = True
        if self.filter.strip():
            mask |= catalog.matching(parse_filter(self.filter))
        return mask


@dataclass(frozen=True, eq=False)
class Ruling:
    """What all rules that hold come to, for one kind of list at one moment.

    Args:
        hidden: bool (N,), items that must not come.
        nudge: float32 (N,), what is added to each score; None adds nothing.
        pins: item rows by place, 0 is the top.
        at_most: by column, the most items of one value.
        n_passed_over: rules that hold and cannot be applied to this catalogue.
    """

    hidden: Mask
    nudge: Floats | None
    pins: Mapping[int, int]
    at_most: Mapping[str, int]
    n_passed_over: int = 0

    @classmethod
    def of(cls, rules: Sequence[Rule], catalog: Catalog, where: Where, at: datetime) -> Ruling:
        """Gather the rules that hold; where two pin one place, the later rule has it."""
        now = microseconds(at)
        hidden = np.zeros(len(catalog), dtype=np.bool_)
        nudge = np.zeros(len(catalog), dtype=np.float32)
        pins: dict[int, int] = {}
        at_most: dict[str, int] = {}
        n_passed_over = 0
        for rule in rules:
            if not rule.holds(where, now):
                continue
            try:
                meant = rule.meant(catalog)
            except FilterError:  # another bundle may lack a column
                n_passed_over += 1
                continue
            match rule.action:
                case "hide":
                    hidden |= meant
                case "boost":
                    nudge[meant] += np.float32(rule.strength)
                case "bury":
                    nudge[meant] -= np.float32(rule.strength)
                case "limit":
                    at_most[rule.column] = min(rule.at_most, at_most.get(rule.column, rule.at_most))
                case "pin":
                    rows = catalog.items.rows(list(rule.items)).tolist()
                    pins.update({rule.place - 1 + n: row for n, row in enumerate(rows) if row >= 0})
        return cls(hidden, nudge if nudge.any() else None, pins, at_most, n_passed_over)


def _since_epoch(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
