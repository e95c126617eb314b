"""Which items may not come: seen, hidden, out of their time, filtered or excluded by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from longtale.arrays import Mask, microseconds
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.filters.filter import Filter, parse_filter
from longtale.data.query import Queries


@dataclass(frozen=True, eq=False)
class Screen:
    """Items that must not return, bool (B, N)."""

    excluded: Mask

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        *,
        condition: str = "",
        exclude: Sequence[str] = (),
        at: datetime | None = None,
    ) -> Screen:
        """Build the screen of one request.

        Args:
            catalog: N items.
            condition: filter expression; blank lets everything through.
            exclude: ids that must not come.
            at: the moment at which items must be available; None is now.

        Raises:
            FilterError: the condition cannot be parsed or applied.
            UnknownIdError: an excluded id does not exist.
        """
        excluded = ruled_out(catalog, condition)
        if catalog.has_availability:
            excluded |= ~catalog.available(microseconds(datetime.now(UTC) if at is None else at))
        for item in exclude:
            excluded[catalog.items.row(item)] = True
        return cls(excluded[None])

    def without_seen(self, dataset: Dataset, queries: Queries) -> Screen:
        """Exclude also what these users have met: their histories and their dismissals."""
        return Screen(self.excluded | met(dataset, queries))


def ruled_out(catalog: Catalog, condition: str) -> Mask:
    """Say which items do not meet a filter, bool (N,); a blank one lets everything through.

    Raises:
        FilterError: the condition cannot be parsed or applied.
    """
    if not condition.strip():
        return np.zeros(len(catalog), dtype=np.bool_)
    return ~catalog.matching(_parsed(condition))


def met(dataset: Dataset, queries: Queries) -> Mask:
    """Say which items these users have met: their histories and their dismissals, bool (B, N)."""
    found = np.zeros((len(queries), dataset.n_items), dtype=np.bool_)
    for events in (queries.histories, dataset.dismissed(queries.user_rows)):
        found[np.repeat(np.arange(len(queries)), events.lengths), events.items] = True
    return found


@lru_cache(maxsize=256)
def _parsed(condition: str) -> Filter:
    return parse_filter(condition)
