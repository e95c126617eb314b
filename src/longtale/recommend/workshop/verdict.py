"""Before and after: what a change brought, how sure that is, and whether it was worth it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from longtale.arrays import segment_rows
from longtale.data.splits.folds import Fold
from longtale.evaluate.accuracy import TargetRanks, ndcg, ndcg_parts
from longtale.evaluate.intervals import crossed_interval
from longtale.recommend.refine import CUTOFF
from longtale.recommend.workshop.trial import ALL, NEW, SPOILT

Aim = Literal["better", "smaller"]
"""Whether a model is to become better, or smaller and as good."""
KEPT = 0.99
"""Share of the quality on new items that a smaller model has to keep."""


@dataclass(frozen=True)
class Change:
    """One slice before and after.

    Args:
        slice: which requests.
        before: mean nDCG@10.
        after: mean nDCG@10.
        low: lower end of the 95 % interval of the difference, paired by request; users and items
            are both drawn, since which items are new tomorrow is chance as well.
        high: upper end.
        n: number of requests.
    """

    slice: str
    before: float
    after: float
    low: float
    high: float
    n: int

    @classmethod
    def of(
        cls,
        name: str,
        before: TargetRanks,
        after: TargetRanks,
        fold: Fold,
        rng: np.random.Generator,
    ) -> Change:
        """Compare where the targets of a fold stand."""
        users = segment_rows(before.offsets)
        low, high = crossed_interval(
            ndcg_parts(after, CUTOFF) - ndcg_parts(before, CUTOFF),
            1 / before.counts[users],
            users,
            fold.targets.items,
            rng=rng,
        )
        means = [float(np.nanmean(ndcg(ranks, CUTOFF))) for ranks in (before, after)]
        return cls(name, means[0], means[1], low, high, len(fold))

    @property
    def difference(self) -> float:
        """What the change brought."""
        return self.after - self.before

    def gain(self) -> str:
        """Say what it brought, and how sure that is."""
        return (
            f"{self.difference:+.4f} ({self.low:+.4f} to {self.high:+.4f}) nDCG@10 on {self.slice}"
        )


@dataclass(frozen=True)
class Verdict:
    """What a changed model brought on each slice.

    Args:
        changes: by slice.
        aim: whether the model was to become better, or smaller and as good.
    """

    changes: tuple[Change, ...]
    aim: Aim = "better"

    @classmethod
    def of(
        cls,
        before: Mapping[str, TargetRanks],
        after: Mapping[str, TargetRanks],
        folds: Mapping[str, Fold],
        rng: np.random.Generator,
        *,
        aim: Aim = "better",
    ) -> Verdict:
        """Compare where the same requests' targets stand, by slice."""
        changes = [
            Change.of(name, was, after[name], folds[name], rng) for name, was in before.items()
        ]
        return cls(tuple(changes), aim)

    @property
    def kept(self) -> float:
        """Share of the quality on new items that is left."""
        new = self._slice(NEW)
        return new.after / new.before if new.before else 1.0

    @property
    def is_worth_it(self) -> bool:
        """Whether new items surely gained and others did not lose.

        Of a smaller model, whether it kept up; and where texts were spoilt, surely gained there.
        """
        if self.aim == "smaller":
            return self.kept >= KEPT and all(each.low > 0 for each in self._hardened)
        return self._slice(NEW).low > 0 and self._slice(ALL).high >= 0

    def sentence(self) -> str:
        """Say in one line whether it was worth it."""
        worth = "worth it" if self.is_worth_it else "not worth it"
        if self.aim == "smaller":
            said = [f"{worth}: {self.kept:.1%} of nDCG@10 on {NEW} is kept"]
            return "; ".join(said + [each.gain() for each in self._hardened])
        new = self._slice(NEW)
        gain = new.gain()
        if self.is_worth_it:
            return f"{worth}: {gain}"
        if new.low > 0:
            return f"{worth}: {gain}, but {self._slice(ALL).difference:+.4f} on {ALL}"
        return f"{worth}: {gain}, which chance alone may bring"

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        changes = [{**asdict(change), "difference": change.difference} for change in self.changes]
        return {"changes": changes, "worth_it": self.is_worth_it, "verdict": self.sentence()}

    @property
    def _hardened(self) -> list[Change]:
        return [change for change in self.changes if change.slice == SPOILT]

    def _slice(self, name: str) -> Change:
        return next(change for change in self.changes if change.slice == name)
