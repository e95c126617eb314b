"""Cutting a dataset into what models may see and what they are asked: five protocols, each named.

    protocol     what is asked                          what models see
    refit        the last item of each user             everything before it, but the last such item
                                                        of some random users, who validate
    strict       the last item of each user             all but the last two items of each user; the
                                                        second-last only validates
    time         all that happens from a moment on      all that happened before it
    cold-items   who likes items that nobody has met    all other items' events
    cold-users   users nobody knows, by their first     all other users' events
                 0, 1, 3, ... events

In every protocol:

- An item that is in the query's history, or that the user has dismissed before, is masked out of
  the ranking (`Fold.seen`) and is no target. Each target counts once, however often it was
  consumed. A user without any target left is not asked.
- Users and items keep their rows. Who is not asked still trains.
- The order of events of equal time is the order of the dataset, which never depends on chance.
- The validation fold never uses an event of the test fold's targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Mask
from longtale.data.dataset import Dataset
from longtale.data.splits.folds import (
    Fold,
    hidden_items_fold,
    last_item_fold,
    later_fold,
    newcomers_fold,
)
from longtale.data.splits.withheld import without_items, without_last_events, without_users
from longtale.errors import SplitError
from longtale.seeds import generator
from longtale.settings import Settings

__all__ = [
    "Fold",
    "Protocol",
    "ProtocolName",
    "Split",
    "SplitSettings",
    "split",
    "validation_fold",
]


class ProtocolName(StrEnum):
    """How a dataset is cut."""

    REFIT = "refit"
    STRICT = "strict"
    TIME = "time"
    COLD_ITEMS = "cold-items"
    COLD_USERS = "cold-users"


class SplitSettings(Settings):
    """How much is held out, and by which dice."""

    seed: int = Field(default=0, ge=0)
    """Decides every random choice of a split."""
    n_validation_users: int = Field(default=2048, ge=1)
    """At most this many random users validate."""
    validation_share: float = Field(default=0.1, gt=0, le=0.4)
    """Protocol time: share of all events that validate; they come right before the test's."""
    test_share: float = Field(default=0.1, gt=0, le=0.4)
    """Protocol time: share of all events that test; they are the last ones."""
    cold_share: float = Field(default=0.1, gt=0, le=0.4)
    """Protocols cold-items and cold-users: share of the items or users that the test holds out."""
    given: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 3, 5, 10), min_length=1)
    """Protocol cold-users: how many of a user's first events are known when they are asked."""


@dataclass(frozen=True)
class Protocol:
    """Under which rules numbers were made; only equal protocols may be compared.

    Args:
        name: how the data was cut.
        stamp: one line with everything that decides the numbers.
    """

    name: ProtocolName
    stamp: str


@dataclass(frozen=True, eq=False)
class Split:
    """A validation task for choices, and a test task for the figures."""

    protocol: Protocol
    validation: Fold
    test: Fold


def split(dataset: Dataset, name: ProtocolName, settings: SplitSettings) -> Split:
    """Cut a dataset by one of the protocols in the head of this module.

    Raises:
        SplitError: nobody is left to be asked, or a cut in time of data without times.

    Example:
        >>> from longtale.data.synthetic import checkerboard
        >>> parts = split(checkerboard(8, 12), ProtocolName.STRICT, SplitSettings())
        >>> len(parts.test), len(parts.test.train.interactions)
        (8, 24)
    """
    cuts: tuple[int, ...] = ()
    match name:
        case ProtocolName.REFIT:
            validation, test = _refit(dataset, settings)
        case ProtocolName.STRICT:
            validation, test = _strict(dataset, settings)
        case ProtocolName.TIME:
            cuts = _cuts(dataset, settings)
            validation, test = _by_time(dataset, settings, cuts)
        case ProtocolName.COLD_ITEMS:
            validation, test = _cold_items(dataset, settings)
        case ProtocolName.COLD_USERS:
            validation, test = _cold_users(dataset, settings)
    return Split(Protocol(name, _stamp(dataset, name, settings, cuts)), validation, test)


def validation_fold(dataset: Dataset, settings: SplitSettings) -> Fold:
    """Hold out the last item of some random users who have at least two events: refit's validation.

    Raises:
        SplitError: no user has two different items.
    """
    users = _drawn(_users_with(dataset, 2), settings)
    train, taken = without_last_events(dataset, users)
    return last_item_fold(train, train, users=users, taken=taken)


def _refit(dataset: Dataset, settings: SplitSettings) -> tuple[Fold, Fold]:
    """Ask users of two events or more; those with one event only train."""
    users = _users_with(dataset, 2)
    known, taken = without_last_events(dataset, users)
    validation = validation_fold(known, settings)
    return validation, last_item_fold(validation.train, known, users=users, taken=taken)


def _strict(dataset: Dataset, settings: SplitSettings) -> tuple[Fold, Fold]:
    """Ask users of three events or more; those with fewer only train."""
    users = _users_with(dataset, 3)
    known, test_taken = without_last_events(dataset, users)
    train, taken = without_last_events(known, users)
    drawn = _drawn(np.arange(len(users)), settings)
    validation = last_item_fold(train, train, users=users[drawn], taken=taken.take(drawn))
    return validation, last_item_fold(train, known, users=users, taken=test_taken)


def _by_time(dataset: Dataset, settings: SplitSettings, cuts: tuple[int, ...]) -> tuple[Fold, Fold]:
    """Ask at a moment for all that follows; users without history take part."""
    validation_cut, test_cut = cuts
    known = dataset.before(test_cut)
    drawn = _drawn(_active_since(known, validation_cut), settings)
    validation = later_fold(known, validation_cut, users=drawn)
    return validation, later_fold(dataset, test_cut, users=_active_since(dataset, test_cut))


def _cold_items(dataset: Dataset, settings: SplitSettings) -> tuple[Fold, Fold]:
    """Hide random items that have events; ask users who met both a hidden and another item."""
    drawn = generator(settings.seed, "cold items").permutation(np.flatnonzero(dataset.item_counts))
    n_test, n_validation = _held_out(len(drawn), settings.cold_share)
    hidden = _mask(drawn[:n_test], dataset.n_items)
    hidden_too = _mask(drawn[n_test:][:n_validation], dataset.n_items)
    known = without_items(dataset, hidden)
    train = without_items(known, hidden_too)
    asked = _users_between(known, dataset)
    validating = _drawn(_users_between(train, known), settings)
    return (
        hidden_items_fold(train, known, users=validating, hidden=hidden_too),
        hidden_items_fold(known, dataset, users=asked, hidden=hidden),
    )


def _cold_users(dataset: Dataset, settings: SplitSettings) -> tuple[Fold, Fold]:
    """Hold out random users; ask each for their last fifth of events, at least one of them.

    A user is asked with their first k events only where these lie before that fifth. The targets
    are the same for every k: what is in the last fifth and was not met before it.
    """
    drawn = generator(settings.seed, "cold users").permutation(_users_with(dataset, 1))
    n_test, n_validation = _held_out(len(drawn), settings.cold_share)
    n_validation = min(n_validation, settings.n_validation_users)
    held_out = np.sort(drawn[:n_test])
    known = without_users(dataset, _mask(held_out, dataset.n_users))
    validating = np.sort(drawn[n_test:][:n_validation])
    train = without_users(known, _mask(validating, dataset.n_users))
    return (
        newcomers_fold(train, known, users=validating, given=settings.given),
        newcomers_fold(known, dataset, users=held_out, given=settings.given),
    )


def _cuts(dataset: Dataset, settings: SplitSettings) -> tuple[int, int]:
    times = dataset.interactions.times
    if times is None:
        raise SplitError(
            "protocol 'time' needs the time of each event, and these events have only an order; "
            "map a time column, or use protocol 'refit' or 'strict'"
        )
    ordered = np.sort(times)
    n_test, n_validation = (
        max(1, round(share * len(times)))
        for share in (settings.test_share, settings.validation_share)
    )
    first = len(times) - n_test - n_validation
    if first < 1 or ordered[first] == ordered[0]:
        raise SplitError(
            f"no event is earlier than the validation cut: of {len(times)} events the last "
            f"{n_validation} + {n_test} are held out, with all of the same time; "
            "use smaller shares, or protocol 'refit' or 'strict'"
        )
    return int(ordered[first]), int(ordered[first + n_validation])


def _held_out(n: int, share: float) -> tuple[int, int]:
    """How many of n the test holds out, and how many of the others the validation."""
    n_test = max(1, round(share * n))
    return n_test, max(1, round(share * (n - n_test)))


def _users_with(dataset: Dataset, n_events: int) -> NDArray[np.int64]:
    return np.flatnonzero(dataset.interactions.histories.lengths >= n_events)


def _users_between(train: Dataset, dataset: Dataset) -> NDArray[np.int64]:
    """Users of whom the train part holds something, but not everything."""
    n_known = train.interactions.histories.lengths
    return np.flatnonzero((n_known > 0) & (n_known < dataset.interactions.histories.lengths))


def _active_since(dataset: Dataset, cut: int) -> NDArray[np.int64]:
    return np.flatnonzero(dataset.histories(np.arange(dataset.n_users), since=cut).lengths)


def _drawn(users: NDArray[np.int64], settings: SplitSettings) -> NDArray[np.int64]:
    rng = generator(settings.seed, "validation users")
    return np.sort(rng.permutation(users)[: settings.n_validation_users])


def _mask(rows: NDArray[np.integer], n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows] = True
    return mask


_DECISIVE = {
    ProtocolName.REFIT: (),
    ProtocolName.STRICT: (),
    ProtocolName.TIME: ("validation_share", "test_share"),
    ProtocolName.COLD_ITEMS: ("cold_share",),
    ProtocolName.COLD_USERS: ("cold_share", "given"),
}


def _stamp(
    dataset: Dataset, name: ProtocolName, settings: SplitSettings, cuts: tuple[int, ...]
) -> str:
    fields = ("seed", "n_validation_users", *_DECISIVE[name])
    is_cold_items = name is ProtocolName.COLD_ITEMS
    parts = [
        name.value,
        *(f"{field} {getattr(settings, field)}" for field in fields),
        *(f"cut {np.datetime64(cut, 'us')}Z" for cut in cuts),
        f"data {dataset.fingerprint[:12]}",
        "cold items ranked among themselves" if is_cold_items else "full ranking",
        "seen masked",
        "ties half",
    ]
    return "; ".join(parts)
