"""How often an item is clicked when it is shown, and what that is worth to an item of the tail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import DAY, Floats, Mask, Rows, Times
from longtale.data.splits.bands import BANDS
from longtale.schema import Band
from longtale.settings import Settings

Values = NDArray[np.float64]


class ClickRateSettings(Settings):
    """How clicks and showings are counted, and how far clicks lift an item of the tail."""

    half_life_days: float = Field(default=14.0, gt=0)
    """Days after which a click or a showing counts half."""
    prior_shows: float = Field(default=20.0, gt=0)
    """How many showings the rate of an item's band counts as: who was shown less is judged by it
    rather than by their own clicks."""
    largest_boost: float = Field(default=0.5, ge=0)
    """What is added at most to the score of an item of the tail, in standard deviations."""


@dataclass(frozen=True, eq=False)
class ClickRates:
    """Clicks and showings of each item, older ones for less.

    The rate of item i is the posterior mean of a Beta distribution whose prior is the rate p of
    all items of its band, worth m showings: (c_i + m p) / (s_i + m). A new item thus begins at
    what items of its kind get, and leaves it as fast as it is shown.

    Args:
        settings: how it is counted.
        clicked: float64 (N,), c.
        shown: float64 (N,), s.
        latest: when the last of these happened, microseconds UTC; ages count from there.
    """

    settings: ClickRateSettings
    clicked: Values
    shown: Values
    latest: int = 0

    @classmethod
    def none(cls, n_items: int, settings: ClickRateSettings) -> Self:
        """Begin without any showing."""
        return cls(settings, np.zeros(n_items), np.zeros(n_items))

    def updated(self, items: Rows, times: Times, is_click: Mask) -> Self:
        """Count further showings and clicks; all that was counted grows older by one factor.

        Args:
            items: int32 (n,), item rows.
            times: int64 (n,), microseconds UTC, in any order.
            is_click: bool (n,), a click; if not, a showing. Each click has a showing of its own.
        """
        latest = max(self.latest, int(times.max(initial=self.latest)))
        fading = self._faded(np.array(latest - self.latest))
        weights = self._faded(latest - times)
        n_items = len(self.shown)
        clicks, shows = (
            np.bincount(items[chosen], weights[chosen], minlength=n_items)
            for chosen in (is_click, ~is_click)
        )
        return replace(
            self,
            clicked=self.clicked * fading + clicks,
            shown=self.shown * fading + shows,
            latest=latest,
        )

    def rates(self, bands: NDArray[np.int8]) -> Values:
        """Give the rate of each item, float64 (N,).

        Args:
            bands: int8 (N,), codes of `BANDS`.
        """
        prior, m = self.band_rates(bands), self.settings.prior_shows
        return (self.clicked + m * prior) / (self._shown + m)

    def band_rates(self, bands: NDArray[np.int8]) -> Values:
        """Give the rate of each item's whole band, float64 (N,); of all where a band was unseen."""
        clicks, shows = (
            np.bincount(bands, counts, minlength=len(BANDS))
            for counts in (self.clicked, self._shown)
        )
        overall = clicks.sum() / max(shows.sum(), 1e-9)
        rates: Values = np.where(shows > 0, clicks / np.maximum(shows, 1e-9), overall)[bands]
        return rates

    def boost(self, bands: NDArray[np.int8]) -> Floats:
        """Give what clicks add to the score of each item, float32 (N,); see `tail_boost`."""
        is_tail = np.isin(bands, [BANDS.index(band) for band in (Band.TAIL, Band.NEW)])
        largest = self.settings.largest_boost
        return tail_boost(self.rates(bands), self.band_rates(bands), is_tail, largest=largest)

    @property
    def _shown(self) -> Values:
        """Showings; a click that came without one counts as one."""
        return np.maximum(self.shown, self.clicked)

    def _faded(self, ages: NDArray[np.int64]) -> Values:
        return np.exp2(-ages / (DAY * self.settings.half_life_days))


def tail_boost(rates: Values, usual: Values, is_tail: Mask, *, largest: float) -> Floats:
    """Give what is added to each score, float32 (N,): b_i = b max(0, 1 - p_i / r_i) in the tail.

    It is 0 for an item that is clicked as often as is usual, p, or less; half the largest for one
    that is clicked twice as often, and never more than the largest: a run of clicks brings a tail
    item forward, and cannot lift it over everything.

    Args:
        rates: float64 (N,), r, how often each item is clicked when shown.
        usual: float64 (N,), p, how often items of its band are.
        is_tail: bool (N,), items that may be lifted.
        largest: b.

    Example:
        >>> tail = np.array([True, True, False])
        >>> rates, usual = np.array([0.1, 0.05, 0.3]), np.full(3, 0.05)
        >>> tail_boost(rates, usual, tail, largest=0.5).tolist()
        [0.25, 0.0, 0.0]
    """
    lifted = is_tail & (rates > usual)
    ratios = np.divide(usual, rates, out=np.ones_like(rates), where=lifted)
    return (largest * (1 - ratios)).astype(np.float32)
