"""How far up the ranking the relevant items stand: ranks once, every accuracy metric from them.

All metrics are on the full ranking of the catalogue, never on sampled negatives (Krichene and
Rendle, 2020). The rules that decide numbers:

- **Ties count half.** A target's rank is 1 + the number of better items + half the number of other
  items with the same score: what a random order of equal items gives on average. A target that
  shares places 10 and 11 has rank 10.5 and so is not among the first 10. No order of the input can
  help a model.
- **NaN and -inf are "cannot say"**: all such items are tied at the bottom of the list.
- **Masked items take no part**: they stand nowhere in the list and push nobody down.
- **A user without targets** has no value: each function gives NaN there, to be left out and
  counted.

`relevant` below are the targets of one user, n of them with ranks r_1 <= ... <= r_n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from longtale.arrays import Floats, Mask, Offsets, Rows, offsets_of, segment_rows
from longtale.data.interactions import Histories
from longtale.errors import DataError

Values = NDArray[np.float64]
"""One number per user, (B,); NaN is none."""

_FEW = 12  # a sort costs as much as about so many passes over a row of 10,000


@dataclass(frozen=True, eq=False)
class TargetRanks:
    """Where the targets of each of B users stand.

    Args:
        offsets: int64 (B + 1,); user b's targets are at offsets[b]:offsets[b + 1].
        ranks: float64 (n,), 1 is the best; halves come from ties.
        n_ranked: int64 (B,), how many items stood in the list of each user.
    """

    offsets: Offsets
    ranks: NDArray[np.float64]
    n_ranked: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.n_ranked)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of targets of each user, int64 (B,)."""
        return np.diff(self.offsets)

    def where(self, kept: Mask) -> TargetRanks:
        """Call only the chosen targets relevant, bool (n,); the lists stay as they are."""
        counts = np.bincount(segment_rows(self.offsets)[kept], minlength=len(self))
        return TargetRanks(offsets_of(counts), self.ranks[kept], self.n_ranked)

    @staticmethod
    def concatenated(parts: Sequence[TargetRanks]) -> TargetRanks:
        """Put batches of users behind each other."""
        return TargetRanks(
            offsets_of(np.concatenate([part.counts for part in parts])),
            np.concatenate([part.ranks for part in parts]),
            np.concatenate([part.n_ranked for part in parts]),
        )

    def total(self, values: NDArray[np.generic]) -> Values:
        """Add up one number per target, (n,), to one per user, (B,)."""
        owners = segment_rows(self.offsets)
        return np.bincount(owners, weights=values, minlength=len(self)).astype(np.float64)

    def per_user(self, values: NDArray[np.generic]) -> Values:
        """Put NaN where a user has no target, (B,)."""
        return np.where(self.counts > 0, values, np.nan)


def target_ranks(
    scores: Floats,
    targets: Histories,
    *,
    masked: sparse.csr_array | None = None,
    ranked: Mask | None = None,
) -> TargetRanks:
    """Find the rank of every target in the full list of its user.

    Args:
        scores: float32 (B, N), larger is better, NaN where the model cannot say.
        targets: relevant items of each of the B users, each at most once.
        masked: (B, N), whose stored entries take no part.
        ranked: bool (N,), only these items are ranked; None is all.

    Raises:
        DataError: a target is masked or not among the ranked items.

    Example:
        >>> target_ranks(np.float32([[.9, .5, .5, .1]]), Histories.of([[1, 3]])).ranks.tolist()
        [2.5, 4.0]
    """
    return ranks_in(rankable(scores, masked=masked, ranked=ranked), targets)


def rankable(
    scores: Floats, *, masked: sparse.csr_array | None = None, ranked: Mask | None = None
) -> Floats:
    """Give scores in which NaN takes no part and -inf is "cannot say", float32 (B, N).

    Args:
        scores: float32 (B, N), NaN where the model cannot say; it is left as it is.
        masked: (B, N), whose stored entries take no part.
        ranked: bool (N,), only these items are ranked; None is all.
    """
    values = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    if masked is not None:
        values[segment_rows(masked.indptr), masked.indices] = np.nan
    if ranked is not None:
        values[:, ~ranked] = np.nan
    return values


def ranks_in(values: Floats, targets: Histories) -> TargetRanks:
    """Find the rank of every target in scores that `rankable` gave.

    A few targets cost a pass over the row each; for more, sorting the row once is cheaper.

    Raises:
        DataError: a target takes no part in the ranking.
    """
    users = segment_rows(targets.offsets)
    own = values[users, targets.items]
    _refuse_unranked(targets.items[np.isnan(own)], len(own))
    ranks = np.empty(len(own))
    few = targets.lengths <= _FEW
    for nth in range(targets.lengths[few].max(initial=0)):
        asked = np.flatnonzero(few & (targets.lengths > nth))
        rows = values if len(asked) == len(values) else values[asked]
        places = targets.offsets[asked] + nth
        ranks[places] = _ranks_by_comparing(rows, own[places])
    for user in np.flatnonzero(~few):
        place = slice(targets.offsets[user], targets.offsets[user + 1])
        ranks[place] = _ranks_by_sorting(values[user], own[place])
    return TargetRanks(targets.offsets, ranks, np.count_nonzero(~np.isnan(values), axis=1))


def _ranks_by_comparing(rows: Floats, own: Floats) -> NDArray[np.float64]:
    better = np.count_nonzero(rows > own[:, None], axis=1)
    equal = np.count_nonzero(rows == own[:, None], axis=1)
    return 1 + better + (equal - 1) / 2


def _ranks_by_sorting(row: Floats, own: Floats) -> NDArray[np.float64]:
    ascending = np.sort(row)  # NaN goes to the end
    n_ranked = len(row) - np.count_nonzero(np.isnan(row))
    below = np.searchsorted(ascending[:n_ranked], own, side="left")
    not_above = np.searchsorted(ascending[:n_ranked], own, side="right")
    return 1 + (n_ranked - not_above) + (not_above - below - 1) / 2


def _refuse_unranked(items: Rows, n_targets: int) -> None:
    if len(items):
        raise DataError(
            f"{len(items)} of {n_targets} targets take no part in the ranking, the first being "
            f"item row {items[0]}; a target must not be masked as seen and must be among the "
            f"ranked items: leave it out of the targets, or do not mask it"
        )


def precision(ranks: TargetRanks, k: int) -> Values:
    """Give the share of the first k places that hold relevant items: #{r <= k} / k."""
    return ranks.per_user(_hits(ranks, k) / k)


def recall(ranks: TargetRanks, k: int) -> Values:
    """Give the share of the relevant items that stand in the first k places: #{r <= k} / n."""
    return ranks.per_user(_hits(ranks, k) / np.maximum(ranks.counts, 1))


def f1(ranks: TargetRanks, k: int) -> Values:
    """Give the harmonic mean of precision and recall: 2 · #{r <= k} / (k + n)."""
    return ranks.per_user(2 * _hits(ranks, k) / (k + ranks.counts))


def hit_rate(ranks: TargetRanks, k: int) -> Values:
    """Give 1 where at least one relevant item stands in the first k places, else 0."""
    return ranks.per_user(_hits(ranks, k) > 0)


def ndcg(ranks: TargetRanks, k: int) -> Values:
    """Give the discounted gain against that of the best list.

        Σ_{r <= k} 1 / log2(1 + r)  /  Σ_{i <= min(k, n)} 1 / log2(1 + i)

    Source: Järvelin and Kekäläinen, 2002, with binary relevance.
    """
    return ranks.per_user(ranks.total(ndcg_parts(ranks, k)))


def ndcg_parts(ranks: TargetRanks, k: int) -> Values:
    """Give what each target adds to the `ndcg` of its user, (n,)."""
    gains = np.where(ranks.ranks <= k, 1 / np.log2(1 + ranks.ranks), 0.0)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(2 + np.arange(k)))])
    ideal = best[np.clip(ranks.counts, 1, k)]
    return gains / ideal[segment_rows(ranks.offsets)]


def reciprocal_rank(ranks: TargetRanks, k: int) -> Values:
    """Give 1 / r_1 of the first relevant item, 0 where it stands behind place k.

    Its mean over users is the MRR.
    """
    first = np.full(len(ranks), np.inf)
    np.minimum.at(first, segment_rows(ranks.offsets), ranks.ranks)
    return ranks.per_user(np.where(first <= k, 1 / first, 0.0))


def average_precision(ranks: TargetRanks, k: int) -> Values:
    """Give the mean of the precisions at the places of the relevant items.

        Σ_{r_i <= k} i / r_i  /  min(k, n)

    Its mean over users is the MAP. With k >= n and no cut it is the average precision of the
    information retrieval books; trec_eval divides by n also where k < n.
    """
    owners = segment_rows(ranks.offsets)
    best_first = ranks.ranks[np.lexsort((ranks.ranks, owners))]
    numbers = 1 + np.arange(len(owners)) - ranks.offsets[owners]
    precisions = np.where(best_first <= k, numbers / best_first, 0.0)
    return ranks.per_user(ranks.total(precisions) / np.clip(ranks.counts, 1, k))


def auc(ranks: TargetRanks) -> Values:
    """Give the probability that a relevant item stands before another one, ties half.

        1 - (Σ r_i - n (n + 1) / 2) / (n (m - n))

    with m items in the list (Mann and Whitney, 1947). NaN also where all items in the list are
    relevant.
    """
    counts = ranks.counts.astype(np.float64)
    pairs = counts * (ranks.n_ranked - counts)
    inversions = ranks.total(ranks.ranks) - counts * (counts + 1) / 2
    return 1 - np.divide(inversions, pairs, out=np.full(len(ranks), np.nan), where=pairs > 0)


def _hits(ranks: TargetRanks, k: int) -> Values:
    """Count targets in the first k places; of tied ones, which share a rank, no more than fit."""
    return np.minimum(ranks.total(ranks.ranks <= k), k)
