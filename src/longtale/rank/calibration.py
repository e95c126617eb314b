"""Probabilities that keep their word: of what gets 30 %, three in ten happen.

Platt 1999 fits a line through the log-odds, Zadrozny and Elkan 2002 any rising steps, Guo et al.
2017 (arXiv:1706.04599) one temperature for several classes. Each is fitted on rows that the
model has not learned from. How well a promise is kept says the expected calibration error,

    ECE = Σ_b (n_b / n) · |mean predicted_b - share that happened_b|

over bins b of equally many rows (Naeini et al. 2015, who take bins of equal width: these leave most
rows in one of them where what is asked for is rare).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize, minimize_scalar
from scipy.special import expit, log_softmax, logit, softmax
from scipy.stats import rankdata

from longtale.arrays import Floats
from longtale.contracts import State
from longtale.errors import DataError

Method = Literal["none", "platt", "isotonic", "temperature"]

Values = NDArray[np.float64]

_EDGE = 1e-6  # probabilities of exactly 0 and 1 have no log-odds


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fitted map from raw log-odds to probabilities.

    Args:
        method: platt and isotonic for one event, temperature for C classes, none for either.
        inputs: float64; platt: slope and offset, isotonic: where the steps are, temperature: T.
        outputs: float64; isotonic: the probability of each step; else empty.
    """

    method: Method
    inputs: Values
    outputs: Values

    @classmethod
    def fit(cls, raw: Floats, labels: NDArray[np.number], method: Method) -> Self:
        """Fit on rows that the model has not learned from.

        Args:
            raw: log-odds, float (R,), or of C classes, (R, C), up to a constant per row.
            labels: 0 or 1, (R,), or numbers of classes.
            method: platt or isotonic for (R,), temperature for (R, C).

        Raises:
            DataError: there is no row, or the method does not suit the shape.
        """
        if not len(raw):
            raise DataError("there is no row to calibrate on; hold some out")
        if method != "none" and (method == "temperature") != (raw.ndim == 2):
            raise DataError(
                f"method '{method}' does not suit scores of shape {raw.shape}; take temperature "
                "for several classes, platt or isotonic for one event"
            )
        none, wide = np.empty(0), raw.astype(np.float64)
        match method:
            case "none":
                return cls(method, none, none)
            case "platt":
                return cls(method, _platt(wide, labels), none)
            case "isotonic":
                return cls(method, *_isotonic(wide, labels))
            case "temperature":
                return cls(method, _temperature(wide, labels), none)

    def apply(self, raw: Floats) -> Floats:
        """Give probabilities in the shape of the log-odds, float32."""
        if self.method == "isotonic":
            return np.interp(raw, self.inputs, self.outputs).astype(np.float32)
        if raw.ndim == 2:
            temperature = 1.0 if self.method == "none" else self.inputs[0]
            return softmax(raw.astype(np.float64) / temperature, axis=1).astype(np.float32)
        slope, offset = (1.0, 0.0) if self.method == "none" else self.inputs
        return expit(slope * raw.astype(np.float64) + offset).astype(np.float32)

    def state(self) -> State:
        return {"inputs": self.inputs, "outputs": self.outputs}

    @classmethod
    def restore(cls, method: Method, state: State) -> Self:
        """Build again what gave `state`."""
        return cls(method, np.asarray(state["inputs"]), np.asarray(state["outputs"]))


def _platt(raw: Values, labels: NDArray[np.number]) -> Values:
    """Find slope and offset by maximum likelihood, with targets as soft as Platt's."""
    n_yes = float(labels.sum())
    n_no = len(labels) - n_yes
    targets = np.where(labels > 0, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))

    def loss(line: Values) -> tuple[float, Values]:
        z = line[0] * raw + line[1]
        wrong = expit(z) - targets
        total = np.logaddexp(0, z) - targets * z
        return float(total.mean()), np.array([(wrong * raw).mean(), wrong.mean()])

    start = np.array([1.0, logit((n_yes + 1) / (len(labels) + 2))])
    return np.asarray(minimize(loss, start, jac=True, method="BFGS").x)


def _isotonic(raw: Values, labels: NDArray[np.number]) -> tuple[Values, Values]:
    """Find the rising steps that are closest to what happened; equal scores are one step."""
    places, owners = np.unique(raw, return_inverse=True)
    weights = np.bincount(owners).astype(np.float64)
    means = np.bincount(owners, labels) / weights
    return places, np.asarray(isotonic_regression(means, weights=weights).x)


def _temperature(raw: Values, labels: NDArray[np.number]) -> Values:
    rows, classes = np.arange(len(raw)), labels.astype(np.int64)

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(raw / np.exp(log_temperature), axis=1)[rows, classes].mean())

    return np.exp([minimize_scalar(loss, bounds=(-4, 4), method="bounded").x])


@dataclass(frozen=True, eq=False)
class Reliability:
    """What was promised and what happened, bin by bin, from the least likely rows up.

    Args:
        predicted: float64 (b,), mean predicted probability of each bin.
        happened: float64 (b,), share of its rows that happened.
        counts: int64 (b,), its rows.
    """

    predicted: Values
    happened: Values
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, probabilities: Floats, labels: NDArray[np.number], *, n_bins: int = 10) -> Self:
        """Cut rows into bins of equally many; equal probabilities are never parted.

        Args:
            probabilities: (R,).
            labels: 0 or 1, (R,).
            n_bins: how many bins at most.
        """
        edges = np.quantile(probabilities, np.linspace(0, 1, n_bins + 1)[1:-1])
        bins = np.searchsorted(np.unique(edges), probabilities, side="right")
        counts = np.bincount(bins)
        used = np.flatnonzero(counts)
        sums = (np.bincount(bins, values)[used] for values in (probabilities, labels))
        predicted, happened = (total / counts[used] for total in sums)
        return cls(predicted, happened, counts[used])

    @property
    def error(self) -> float:
        """Expected calibration error, 0 (kept) to 1."""
        gaps = np.abs(self.predicted - self.happened)
        return float(np.average(gaps, weights=self.counts))


def auc(scores: Floats, labels: NDArray[np.number]) -> float:
    """Give the probability that a row that happened has a higher score than one that did not.

    Ties count half. NaN where all rows happened, or none.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]))
        0.875
    """
    is_yes = labels > 0
    n_yes, n_no = int(is_yes.sum()), int((~is_yes).sum())
    if not n_yes or not n_no:
        return np.nan
    return float((rankdata(scores)[is_yes].sum() - n_yes * (n_yes + 1) / 2) / (n_yes * n_no))
