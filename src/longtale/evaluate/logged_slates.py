"""Slates that were shown, with their propensities, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longtale.data.impressions import Impressions
from longtale.errors import DataError
from longtale.evaluate.accuracy import Values

ROUNDING = 1e-6
"""By how much a probability may exceed 1."""


@dataclass(frozen=True, eq=False)
class LoggedSlates:
    """S slates that were shown, as n impressions, and what came of them.

    Args:
        slates: int64 (n,), which of the S slates, from 0 up.
        ranks: int64 (n,), place in the slate, 1 is the first; each at most once in a slate.
        propensities: float64 (n,), probability with which the logging policy showed this item at
            this rank, above 0 and at most 1.
        rewards: float64 (n,), what came of it, such as 1 for a click.
    """

    slates: NDArray[np.int64]
    ranks: NDArray[np.int64]
    propensities: Values
    rewards: Values

    def __post_init__(self) -> None:
        propensities = self.propensities
        is_right = (propensities > 0) & (propensities <= 1 + ROUNDING)
        self._refuse("propensity", propensities, is_right)
        self._refuse("reward", self.rewards, np.isfinite(self.rewards))
        self._refuse("rank", self.ranks, self.ranks >= 1)
        places = np.stack([self.slates, self.ranks])
        if len(np.unique(places, axis=1).T) < len(self):
            raise DataError(
                "a slate holds two impressions of the same rank; give each slate a number of its "
                "own, and each of its items the place where it stood"
            )

    @classmethod
    def of(cls, impressions: Impressions, rewards: NDArray[np.floating]) -> Self:
        """Take what was shown with what came of it.

        Args:
            impressions: n of them; all need a propensity.
            rewards: (n,).
        """
        numbers = impressions.slates.rank("dense").to_numpy().astype(np.int64) - 1
        return cls(
            numbers,
            impressions.ranks.astype(np.int64),
            impressions.propensities.astype(np.float64),
            np.asarray(rewards, dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.slates)

    @property
    def n_slates(self) -> int:
        """S."""
        return int(self.slates.max(initial=-1)) + 1

    def _refuse(self, noun: str, values: NDArray[np.generic], is_right: NDArray[np.bool_]) -> None:
        if len(values) != len(self.slates):
            raise DataError(
                f"{len(values)} values of {noun} for {len(self.slates)} impressions; give each one"
            )
        if not is_right.all():
            raise DataError(
                f"impression {int(np.argmin(is_right))} has the {noun} "
                f"{values[np.argmin(is_right)]}; propensities lie above 0 and not above 1, ranks "
                f"begin at 1, rewards are finite: leave out what was not recorded"
            )
