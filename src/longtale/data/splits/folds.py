"""A fold, one task with requests and their right answers, and how each kind of fold is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Mask, segment_rows
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.errors import SplitError


@dataclass(frozen=True, eq=False)
class Fold:
    """One task: fit on `train`, answer `queries`, be judged by `targets`.

    Args:
        train: all that models may see, with the users and items of the whole dataset.
        queries: B requests; a history holds what is known when it is asked.
        targets: the relevant items of each request, each item once, at least one.
        seen: (B, N), whose stored entries are masked out of the ranking.
        ranked: bool (N,), only these items are ranked; None where all are.
        given: int64 (B,), how many events each cold user was asked with; else None.
        n_left_out: requests that were dropped, since all that was held out of them is on items that
            they had met before.
    """

    train: Dataset
    queries: Queries
    targets: Histories
    seen: sparse.csr_array
    ranked: Mask | None = None
    given: NDArray[np.int64] | None = None
    n_left_out: int = 0

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, chosen: NDArray[np.integer]) -> Fold:
        """Give the chosen requests, in that order."""
        return replace(
            self,
            queries=self.queries.take(chosen),
            targets=self.targets.take(chosen),
            seen=self.seen[chosen],
            given=None if self.given is None else self.given[chosen],
        )

    def batches(self, size: int = 256) -> Iterator[Fold]:
        """Give all requests in their order, at most `size` at a time.

        Scores of 256 requests for 12,000 items by 7 sources take 86 MB.
        """
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))


def shortened(fold: Fold, n_events: NDArray[np.integer]) -> Fold:
    """Ask the same as if only the last events of each history were known.

    What was met before stays masked, so that a right answer is as hard to find as it was.

    Args:
        fold: B requests.
        n_events: (B,), how many events of each are kept.
    """
    queries = replace(fold.queries, histories=fold.queries.histories.last(n_events))
    return replace(fold, queries=queries)


def hidden_from(fold: Fold, hidden: Mask) -> tuple[Fold, Fold]:
    """Ask the same without some items, bool (N,), in histories, and then for these items instead.

    Returns:
        the same requests with the same answers, and those with hidden items in their history, which
        become the answers; in both, hidden items are not masked.
    """
    queries = fold.queries
    was_hidden = hidden[queries.histories.items]
    without = replace(queries, histories=queries.histories.where(~was_hidden))
    seen = fold.seen.multiply(~hidden[None]).tocsr()
    seen = sparse.csr_array(seen)
    asked = replace(fold, queries=without, seen=seen)
    met = queries.histories.where(was_hidden)
    answers = _fresh(met, sparse.csr_array(seen.shape, dtype=np.float32))
    about = replace(asked, targets=answers)
    return asked, about.take(np.flatnonzero(answers.lengths))


def last_item_fold(
    train: Dataset, known: Dataset, *, users: NDArray[np.integer], taken: Histories
) -> Fold:
    """Ask each user for the one event that was taken from them.

    Args:
        train: what models may see.
        known: what is known when asked, at least what models see.
        users: int (B,).
        taken: one event for each of them, which is in neither dataset.
    """
    queries = _queries(users, known.histories(users), asked_at=taken.times)
    return _fold(train, queries, targets=taken, seen=known.seen(users))


def later_fold(dataset: Dataset, cut: int, *, users: NDArray[np.integer]) -> Fold:
    """Ask users at a moment (microseconds UTC) for everything that they do from then on."""
    train = dataset.before(cut)
    asked_at = np.full(len(users), cut, dtype=np.int64)
    queries = _queries(users, train.histories(users), asked_at=asked_at)
    targets = dataset.histories(users, since=cut)
    return _fold(train, queries, targets=targets, seen=train.seen(users))


def hidden_items_fold(
    train: Dataset, dataset: Dataset, *, users: NDArray[np.integer], hidden: Mask
) -> Fold:
    """Ask users, who have their events with other items, to rank the hidden items (N,)."""
    own = dataset.histories(users)
    queries = _queries(users, train.histories(users))
    targets = own.where(hidden[own.items])
    return _fold(train, queries, targets=targets, seen=train.seen(users), ranked=hidden)


def newcomers_fold(
    train: Dataset, dataset: Dataset, *, users: NDArray[np.integer], given: Sequence[int]
) -> Fold:
    """Ask each user several times, with the first 0, 1, 3, ... events, for their last fifth.

    Args:
        train: what models may see, without these users.
        dataset: where their events are, at least one of each.
        users: int (U',).
        given: how many events are known in each round.
    """
    lengths = dataset.histories(users).lengths
    n_earlier = lengths - np.maximum(1, lengths // 5)
    rounds = [np.flatnonzero(n_earlier >= n_given) for n_given in given]
    n_known = np.repeat(np.array(given, dtype=np.int64), [len(asked) for asked in rounds])
    asked = np.concatenate(rounds)
    own = dataset.histories(users[asked])
    earlier = own.first(n_earlier[asked]).matrix(dataset.n_items)
    later = own.last(own.lengths - n_earlier[asked])
    asked_at = None if later.times is None else later.times[later.offsets[:-1]]
    queries = _queries(users[asked], own.first(n_known), asked_at=asked_at)
    seen = queries.histories.matrix(dataset.n_items)
    return _fold(train, queries, targets=_fresh(later, earlier), seen=seen, given=n_known)


def _queries(
    users: NDArray[np.integer], histories: Histories, *, asked_at: NDArray[np.int64] | None = None
) -> Queries:
    return Queries(users.astype(np.int32), histories, times=asked_at)


def _fold(
    train: Dataset,
    queries: Queries,
    *,
    targets: Histories,
    seen: sparse.csr_array,
    ranked: Mask | None = None,
    given: NDArray[np.int64] | None = None,
) -> Fold:
    """Drop targets that are seen or repeated, and queries that have none left."""
    if not len(train.interactions):
        raise SplitError(
            "no event is left to train on; use more events, another protocol or a smaller share"
        )
    targets = _fresh(targets, seen)
    asked = np.flatnonzero(targets.lengths)
    if not len(asked):
        raise SplitError(
            f"nobody can be asked: none of {train.n_users} users has an event to hold out on an "
            "item that is new to them; use more events, another protocol or another share"
        )
    return Fold(
        train,
        queries.take(asked),
        targets.take(asked),
        seen[asked],
        ranked,
        None if given is None else given[asked],
        len(targets) - len(asked),
    )


def _fresh(targets: Histories, seen: sparse.csr_array) -> Histories:
    """Keep the first event of each user with each item that is not seen.

    Args:
        targets: B users.
        seen: (B, N), as `Histories.matrix` makes it: no entry twice, columns of a row rising.
    """
    n_items = seen.shape[1]
    keys = segment_rows(targets.offsets) * n_items + targets.items
    seen_keys = segment_rows(seen.indptr) * n_items + seen.indices
    met = np.searchsorted(seen_keys, keys, side="right") > np.searchsorted(seen_keys, keys)
    is_first = np.zeros(len(keys), dtype=np.bool_)
    is_first[np.unique(keys, return_index=True)[1]] = True
    return targets.where(is_first & ~met)
