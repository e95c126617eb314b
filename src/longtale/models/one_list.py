"""Known and new items in one list: scores as odds of being wanted, bucket by bucket of evidence.

A model of behaviour scores the items that people met, the cold map scores those that nobody met,
and the two scales have nothing to do with each other: added raw, one side floods the list. So both
are turned into the odds that the item is the next one wanted, which is what decides its place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, Mask, segment_rows
from longtale.contracts import State
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.splits.folds import Fold, last_item_fold
from longtale.data.splits.withheld import without_items, without_last_events
from longtale.errors import DataError
from longtale.settings import Settings

LEAST_EVENTS = (0, 1, 5, 20, 100)
"""Least number of events in each bucket of evidence; the first holds items that nobody met."""

_BINS = np.linspace(-8, 16, 481)
_CENTRES = (_BINS[:-1] + _BINS[1:]) / 2
_PRIOR = 5.0  # how strongly a bucket is held to what all known items say; in wanted items
_STEPS = 50
_DIALS = [-0.25 * n for n in range(33)]


class OneListSettings(Settings):
    """How much room new items may take."""

    max_loss: float = Field(default=0.01, ge=0, le=1)
    """Share of the nDCG@10 on known items that may be given up for new ones."""


@dataclass(frozen=True, eq=False)
class ListExample:
    """B requests with simulated new items, and what came next.

    Args:
        warm: float32 (B, N), scores of a model of behaviour, NaN where it cannot say.
        cold: float32 (B, N), scores from descriptions alone, likewise.
        targets: the relevant items of each request.
        masked: bool (B, N), items that cannot be recommended.
    """

    warm: Floats
    cold: Floats
    targets: Histories
    masked: Mask


@dataclass(frozen=True, eq=False)
class OneList:
    """Log-odds a_b + s_b z(u, i) that item i of evidence bucket b is the next that u wants.

    z is the standardised score: of the warm model for known items, of the cold model for new ones.
    a and s are fitted for each bucket by logistic regression on requests in which some items were
    hidden from all models (Platt 1999, "Probabilistic outputs for support vector machines"), and
    held to those of all known items where a bucket has few wanted items. Where buckets would make
    the order of known items worse, all known items share one a and s, which leaves their order as
    it was. Then new items step back as far as it takes to keep the loss on known items within its
    bound.

    Args:
        settings: what it was fitted with.
        slopes: float32 (5,), s of each bucket.
        offsets: float32 (5,), a of each bucket.
    """

    settings: OneListSettings
    slopes: Floats
    offsets: Floats

    @classmethod
    def fit(
        cls,
        examples: Sequence[ListExample],
        item_counts: NDArray[np.int64],
        settings: OneListSettings,
    ) -> Self:
        """Fit the odds, then the step back.

        Args:
            examples: requests as `simulated_cold` makes them.
            item_counts: int64 (N,), events of each item in the data that the models saw.
            settings: how much may be lost.

        Raises:
            DataError: no known item was wanted by anybody.
        """
        shown, wanted = _histograms(examples, evidence_buckets(item_counts))
        if not wanted[1:].any():
            raise DataError(
                "the odds need at least one request whose target is an item with events, and there "
                "is none; give more requests"
            )
        pooled = _logistic(shown[1:].sum(axis=0), wanted[1:].sum(axis=0), None)
        each = [_logistic(*counts, pooled) for counts in zip(shown, wanted, strict=True)]
        offsets, slopes = np.array(each, dtype=np.float32).T
        fitted = cls(settings, slopes, offsets)
        alone = fitted._stepped_back(_DIALS[-1])
        if alone._known_ndcg(examples, item_counts) < _raw_ndcg(examples, item_counts):
            fitted = fitted._with_known_alike(pooled)
        return fitted._held_back(examples, item_counts)

    def odds(self, warm: Floats, cold: Floats, item_counts: NDArray[np.int64]) -> Floats:
        """Give log-odds for all items, float32 (B, N), NaN where the model in charge cannot say.

        Args:
            warm: float32 (B, N), scores of the model of behaviour.
            cold: float32 (B, N), scores from descriptions alone.
            item_counts: int64 (N,), events of each item in training; 0 for one that came later.
        """
        buckets = evidence_buckets(item_counts)
        return _merged(warm, cold, buckets) * self.slopes[buckets] + self.offsets[buckets]

    def state(self) -> State:
        """Give the fitted arrays."""
        return {"slopes": self.slopes, "offsets": self.offsets}

    @classmethod
    def restore(cls, settings: OneListSettings, state: State) -> Self:
        """Build again from the arrays."""
        slopes, offsets = (np.asarray(state[name], np.float32) for name in ("slopes", "offsets"))
        return cls(settings, slopes, offsets)

    def _with_known_alike(self, pooled: tuple[float, float]) -> Self:
        """Give all known items the same odds for the same score: their order stays as it was."""
        offsets, slopes = self.offsets.copy(), self.slopes.copy()
        offsets[1:], slopes[1:] = pooled
        return replace(self, offsets=offsets, slopes=slopes)

    def _stepped_back(self, dial: float) -> Self:
        offsets = self.offsets.copy()
        offsets[0] += np.float32(dial)
        return replace(self, offsets=offsets)

    def _known_ndcg(self, examples: Sequence[ListExample], counts: NDArray[np.int64]) -> float:
        lists = [self.odds(each.warm, each.cold, counts) for each in examples]
        return _warm_ndcg(examples, lists, counts)

    def _held_back(self, examples: Sequence[ListExample], counts: NDArray[np.int64]) -> Self:
        """Lower the odds of new items until the known ones keep their share of nDCG."""
        floor = (1 - self.settings.max_loss) * _raw_ndcg(examples, counts)

        def suffices(dial: float) -> bool:
            return self._stepped_back(dial)._known_ndcg(examples, counts) >= floor

        first = bisect_left(_DIALS, True, key=suffices)  # the further back, the less is lost
        return self._stepped_back(_DIALS[min(first, len(_DIALS) - 1)])


def evidence_buckets(item_counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the bucket of each item: the last of `LEAST_EVENTS` that it reaches.

    Example:
        >>> evidence_buckets(np.array([0, 4, 5, 1000])).tolist()
        [0, 1, 2, 4]
    """
    return np.searchsorted(LEAST_EVENTS, item_counts, side="right") - 1


def simulated_cold(
    dataset: Dataset, *, share: float, n_users: int, rng: np.random.Generator
) -> Fold:
    """Hide some items from all models, and ask users for their last event: new or known by chance.

    So new items are wanted as often as they are in life where they make up `share` of the items.

    Args:
        dataset: all that is known.
        share: part of the items with events that is hidden.
        n_users: at most this many users are asked.
        rng: draws items and users.

    Returns:
        the fold; only items with events are ranked, since others were never on offer.
    """
    touched = dataset.item_counts > 0
    drawn = rng.permutation(np.flatnonzero(touched))
    hidden = np.zeros(dataset.n_items, dtype=np.bool_)
    hidden[drawn[: max(1, round(share * len(drawn)))]] = True
    users = rng.permutation(np.flatnonzero(dataset.interactions.histories.lengths >= 2))
    users = np.sort(users[:n_users])
    rest, taken = without_last_events(dataset, users)
    fold = last_item_fold(without_items(rest, hidden), rest, users=users, taken=taken)
    return replace(fold, ranked=touched)


def _merged(warm: Floats, cold: Floats, buckets: NDArray[np.int64]) -> Floats:
    return np.where(buckets == 0, _standardised(cold), _standardised(warm))


def _standardised(scores: Floats) -> Floats:
    known = ~np.isnan(scores)
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    filled = np.where(known, scores, 0)
    means = filled.sum(axis=1, keepdims=True) / counts
    centred = scores - means
    variances = np.where(known, centred, 0) ** 2
    deviations = np.sqrt(variances.sum(axis=1, keepdims=True) / counts)
    flat = np.where(known, np.float32(0), np.float32(np.nan))
    return np.divide(centred, deviations, out=flat, where=deviations > 0).astype(np.float32)


def _histograms(
    examples: Sequence[ListExample], buckets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count what was shown and what was wanted by bucket and standardised score, (5, bins) each."""
    size = (len(LEAST_EVENTS), len(_CENTRES))
    shown, wanted = np.zeros(size), np.zeros(size)
    for each in examples:
        scores = _merged(each.warm, each.cold, buckets)
        bins = np.clip(np.searchsorted(_BINS, scores, side="right") - 1, 0, len(_CENTRES) - 1)
        usable = ~each.masked & ~np.isnan(scores)
        targets = each.targets.matrix(len(buckets)).toarray() > 0
        places = buckets * len(_CENTRES) + bins
        for counts, chosen in ((shown, usable), (wanted, usable & targets)):
            found = np.bincount(places[chosen], minlength=counts.size)
            counts += found.reshape(size)
    return shown, wanted


def _logistic(
    shown: NDArray[np.float64],
    wanted: NDArray[np.float64],
    prior: tuple[float, float] | None,
) -> tuple[float, float]:
    """Fit offset and slope by Newton's method, held to a prior where there is one."""
    features = np.column_stack([np.ones_like(_CENTRES), _CENTRES])
    start = np.array([-np.log(max(shown.sum(), 1) / max(wanted.sum(), 1)), 1.0])
    anchor = start if prior is None else np.array(prior)
    strength = 1e-3 if prior is None else _PRIOR
    found = anchor.copy()
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-features @ found))
        slope = features.T @ (wanted - shown * chances) - strength * (found - anchor)
        spread = shown * chances * (1 - chances)
        curvature = (features * spread[:, None]).T @ features + strength * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        found += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return float(found[0]), float(found[1])


def _raw_ndcg(examples: Sequence[ListExample], counts: NDArray[np.int64]) -> float:
    return _warm_ndcg(examples, [each.warm for each in examples], counts)


def _warm_ndcg(
    examples: Sequence[ListExample], lists: Sequence[Floats], counts: NDArray[np.int64]
) -> float:
    """Give the mean of 1 / log2(1 + rank) up to rank 10 over targets that people met before."""
    gains = []
    for each, scores in zip(examples, lists, strict=True):
        values = np.where(each.masked | np.isnan(scores), -np.inf, scores)
        owners = segment_rows(each.targets.offsets)
        known = counts[each.targets.items] > 0
        owners, items = owners[known], each.targets.items[known]
        own = values[owners, items]
        ranks = 1 + np.count_nonzero(values[owners] > own[:, None], axis=1)
        gains.append(np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0))
    every = np.concatenate(gains) if gains else np.zeros(0)
    return float(every.mean()) if len(every) else 0.0
