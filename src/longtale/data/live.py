"""A dataset and what came since it was made: the next answer knows the click before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Floats, Rows, Times, segment_rows
from longtale.data.arrivals import Arrivals, appended, interest_of
from longtale.data.dataset import Dataset
from longtale.data.event import EventKind
from longtale.data.interactions import Histories
from longtale.errors import DataError, UnknownIdError, did_you_mean


@dataclass(frozen=True, eq=False)
class Live:
    """Answers for a dataset with some events more, without copying the dataset.

    Putting one event into a dataset of a million copies some 25 MB. Here events wait in a short
    table, which `histories`, `dismissed` and `seen` look at too; `folded` puts them all into a
    dataset, which is worth it once for many.

    Args:
        dataset: what was known.
        pending: what came since, on items of its catalogue.

    Example:
        >>> from longtale.data.synthetic import dataset_of
        >>> live = Live(dataset_of([[0], [1]])).with_events(Arrivals.of([1], [0]))
        >>> live.histories(np.array([0, 1])).items.tolist()
        [0, 1, 0]
    """

    dataset: Dataset
    pending: Arrivals = field(default_factory=lambda: Arrivals.of([], [], times=()))

    @property
    def n_users(self) -> int:
        """U, newcomers included."""
        return self.dataset.n_users + len(self.pending.newcomers)

    @property
    def has_times(self) -> bool:
        """Whether new events must say when they happened."""
        return self.dataset.has_times or not len(self.dataset.interactions)

    def user_rows(self, ids: Sequence[str]) -> Rows:
        """Give the rows of users, newcomers included, int32 (n,); -1 where an id is unknown."""
        rows = self.dataset.users.rows(ids)
        for place in np.flatnonzero(rows < 0).tolist():
            rows[place] = self._newcomer_rows.get(ids[place], -1)
        return rows

    def read(
        self,
        users: Sequence[str],
        items: Sequence[str],
        *,
        kinds: Sequence[str],
        known_kinds: Mapping[str, EventKind],
        values: Floats | None = None,
        times: Times | None = None,
    ) -> Arrivals:
        """Turn events as they come from outside into rows; users nobody knows are newcomers.

        Args:
            users: n user ids.
            items: n item ids, all of them in the catalogue.
            kinds: n names of kinds.
            known_kinds: the kinds by name, among them all of the dataset's.
            values: float32 (n,), NaN where there is none; None is nowhere.
            times: int64 (n,), microseconds UTC; passed over where the dataset has only an order.

        Raises:
            UnknownIdError: an item is not in the catalogue.
            DataError: a kind is unknown, or times are missing where the dataset has them.
        """
        if self.has_times and times is None and len(users):
            raise DataError(
                "these events carry no times, and those of the dataset do; "
                "give the time of each event, microseconds UTC"
            )
        rows, newcomers = self._admitted(users)
        numbers = self._numbers(kinds)
        if values is None:
            values = np.full(len(users), np.nan, dtype=np.float32)
        ordered = [known_kinds[name] for name in self.dataset.kinds]
        weights = interest_of(ordered, numbers, values)
        if not self.has_times:
            times = None
        return Arrivals(rows, self._known(items), numbers, weights, values, times, newcomers)

    def with_events(self, events: Arrivals) -> Live:
        """Let further events wait, those that `read` of this very object gave."""
        is_first = not len(self.pending) and not self.pending.newcomers  # some may be forgotten
        return replace(self, pending=events if is_first else self.pending.followed_by(events))

    def after(self, dataset: Dataset, n_folded: int) -> Live:
        """Give what still waits beside a dataset into which the first of these events went.

        Args:
            dataset: what was known then, with these events; newcomers among them are its users.
            n_folded: how many of the waiting events it holds.
        """
        waiting = self.pending.take(np.arange(n_folded, len(self.pending)))
        known = dataset.n_users - self.dataset.n_users
        return Live(dataset, replace(waiting, newcomers=waiting.newcomers[known:]))

    def folded(self) -> Dataset:
        """Give the dataset that holds everything."""
        return appended(self.dataset, self.pending)

    def histories(self, user_rows: NDArray[np.integer]) -> Histories:
        """Give what these users showed interest in, oldest first; row -1 has nothing."""
        old = self.dataset.histories(self._old(user_rows))
        return _in_time(old, self._liked.histories(user_rows))

    def dismissed(self, user_rows: NDArray[np.integer]) -> Histories:
        """Give what these users turned down, oldest first; row -1 has nothing."""
        old = self.dataset.dismissed(self._old(user_rows))
        return _in_time(old, self._dismissed.histories(user_rows))

    def seen(self, user_rows: NDArray[np.integer]) -> sparse.csr_array:
        """Say which items these users have met, liked or dismissed, as stored entries (B, N)."""
        met = self.histories(user_rows).followed_by(self.dismissed(user_rows))
        ones = np.ones(len(met.items), dtype=np.float32)
        return replace(met, weights=ones).matrix(self.dataset.n_items)

    def _old(self, user_rows: NDArray[np.integer]) -> NDArray[np.integer]:
        return np.where(user_rows < self.dataset.n_users, user_rows, -1)

    @cached_property
    def _liked(self) -> Arrivals:
        return self.pending.liked

    @cached_property
    def _dismissed(self) -> Arrivals:
        return self.pending.dismissed

    @cached_property
    def _newcomer_rows(self) -> dict[str, int]:
        first = self.dataset.n_users
        return {user: first + place for place, user in enumerate(self.pending.newcomers)}

    def _admitted(self, users: Sequence[str]) -> tuple[Rows, tuple[str, ...]]:
        rows = self.user_rows(users)
        newcomers: dict[str, int] = {}
        for place in np.flatnonzero(rows < 0).tolist():
            rows[place] = newcomers.setdefault(users[place], self.n_users + len(newcomers))
        return rows, tuple(newcomers)

    def _numbers(self, kinds: Sequence[str]) -> NDArray[np.int16]:
        numbers = {name: number for number, name in enumerate(self.dataset.kinds)}
        for name in kinds:
            if name not in numbers:
                hint = did_you_mean(name, numbers)
                allowed = ", ".join(numbers)
                raise DataError(f"unknown event kind '{name}'; expected one of {allowed}{hint}")
        return np.array([numbers[name] for name in kinds], dtype=np.int16)

    def _known(self, items: Sequence[str]) -> Rows:
        rows = self.dataset.items.rows(items)
        unknown = [items[place] for place in np.flatnonzero(rows < 0).tolist()]
        if unknown:
            raise UnknownIdError(
                f"events on items {unknown[:3]}, which are not among the {self.dataset.n_items} "
                "of the catalogue; add the items first"
            )
        return rows


def _in_time(old: Histories, new: Histories) -> Histories:
    """Put two halves of histories together by time, events of one time in their order."""
    if old.times is None and not len(old.items):
        old = replace(old, times=np.empty(0, dtype=np.int64))
    both = old.followed_by(new)
    if both.times is None:
        return both
    order = np.lexsort((both.times, segment_rows(both.offsets)))
    return replace(
        both,
        items=both.items[order],
        weights=both.weights[order],
        times=both.times[order],
    )
