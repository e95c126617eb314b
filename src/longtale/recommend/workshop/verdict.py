"""Before and after: what a change brought, how sure that is, and whether it was worth it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longtale.evaluate.accuracy import Values
from longtale.evaluate.intervals import paired_test
from longtale.recommend.workshop.trial import ALL, NEW


@dataclass(frozen=True)
class Change:
    """One slice before and after.

    Args:
        slice: which requests.
        before: mean nDCG@10.
        after: mean nDCG@10.
        low: lower end of the 95 % interval of the difference, paired by request.
        high: upper end.
        n: number of requests.
    """

    slice: str
    before: float
    after: float
    low: float
    high: float
    n: int

    @property
    def difference(self) -> float:
        """What the change brought."""
        return self.after - self.before


@dataclass(frozen=True)
class Verdict:
    """What a changed model brought on each slice."""

    changes: tuple[Change, ...]

    @classmethod
    def of(
        cls, before: Mapping[str, Values], after: Mapping[str, Values], rng: np.random.Generator
    ) -> Verdict:
        """Compare the metric of the same requests, by slice."""
        changes = []
        for name, was in before.items():
            test = paired_test(after[name], was, rng=rng)
            means = float(np.nanmean(was)), float(np.nanmean(after[name]))
            changes.append(Change(name, *means, test.low, test.high, test.n))
        return cls(tuple(changes))

    @property
    def is_better(self) -> bool:
        """Whether new items surely gained, and the others did not surely lose."""
        by_slice = {change.slice: change for change in self.changes}
        return by_slice[NEW].low > 0 and by_slice[ALL].high >= 0

    def sentence(self) -> str:
        """Say in one line whether it was worth it."""
        new = next(change for change in self.changes if change.slice == NEW)
        gain = f"{new.difference:+.4f} ({new.low:+.4f} to {new.high:+.4f}) nDCG@10 on {NEW}"
        if self.is_better:
            return f"worth it: {gain}"
        everyone = next(change for change in self.changes if change.slice == ALL)
        if new.low > 0:
            return f"not worth it: {gain}, but {everyone.difference:+.4f} on {ALL}"
        return f"not worth it: {gain}, which chance alone may bring"

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        changes = [{**asdict(change), "difference": change.difference} for change in self.changes]
        return {"changes": changes, "better": self.is_better, "verdict": self.sentence()}
