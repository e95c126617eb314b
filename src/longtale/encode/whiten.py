"""Frozen vectors made useful: centred, turned to their main directions, spread evenly over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtale.arrays import Floats, unit_rows
from longtale.contracts import State
from longtale.settings import Settings

_RANK_TOLERANCE = 1e-6  # below this share of the largest variance a direction is rounding noise


class WhiteningSettings(Settings):
    """How item vectors are whitened."""

    dim: int = Field(default=256, ge=1)
    """How many main directions are kept; at most the encoder's own width."""
    power: float = Field(default=0.75, ge=0.0, le=1.0)
    """How evenly the directions count: 1 all alike, 0 as they are."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """A fitted whitening, x -> unit((x - mean) projection).

    Args:
        mean: float32 (D,).
        projection: float32 (D, R); columns beyond the rank of the data are zero.
    """

    mean: Floats
    projection: Floats

    @property
    def dim(self) -> int:
        """R."""
        return int(self.projection.shape[1])

    @classmethod
    def fit(cls, vectors: Floats, settings: WhiteningSettings) -> Self:
        """Fit on the vectors of a catalogue; zero rows are left out.

        With C = V diag(l) V' the covariance of the centred rows, the projection is
        V diag(l ** (-power / 2)), largest variances first (Su et al. 2021, arXiv:2103.15316). C is
        shrunk towards a sphere by the amount of Ledoit and Wolf (2004): nothing for thousands of
        items, but it keeps a handful of them from being made all equally far from each other.

        Args:
            vectors: float32 (N, D), unit rows or zero rows.
            settings: how many directions, and how evenly they count.

        Example:
            >>> vectors = unit_rows(np.eye(8, dtype=np.float32))
            >>> Whitening.fit(vectors, WhiteningSettings(dim=4)).apply(vectors).shape
            (8, 4)
        """
        known = vectors[vectors.any(axis=1)].astype(np.float64)
        mean = known.mean(axis=0) if len(known) else np.zeros(vectors.shape[1])
        centred = known - mean
        covariance = centred.T @ centred / max(len(known), 1)
        variances, directions = np.linalg.eigh(covariance)
        largest = np.argsort(-variances, kind="stable")[: settings.dim]
        variances, directions = np.maximum(variances[largest], 0.0), directions[:, largest]
        floor = _RANK_TOLERANCE * max(float(variances.max()), np.finfo(np.float64).tiny)
        usable = variances > floor
        shrunk = np.where(usable, _shrunk(variances, centred, covariance), 1.0)
        projection = directions * np.where(usable, shrunk ** (-settings.power / 2), 0.0)
        # In C order, as a saved one comes back: the product's last bits depend on it.
        return cls(mean.astype(np.float32), projection.astype(np.float32, order="C"))

    def apply(self, vectors: Floats) -> Floats:
        """Whiten float32 (N, D) into unit rows, float32 (N, R); zero rows stay zero."""
        return self._turned(vectors, self.projection)

    def towards(self, vectors: Floats) -> Floats:
        """Turn words that someone typed, float32 (B, D), into directions among whitened items.

        Whitening evens out what tells items from each other, but a few typed words say most along
        the few directions that all texts share. So words go through the inverse: with z = x P the
        whitened item, z·(P⁻¹ t) = x·t is the plain product, up to the length that z was cut to.
        """
        scales = np.square(self.projection).sum(axis=0)
        inverse = np.divide(
            self.projection, scales, out=np.zeros_like(self.projection), where=scales > 0
        )
        return self._turned(vectors, inverse)

    def state(self) -> State:
        """Give the fitted arrays."""
        return {"mean": self.mean, "projection": self.projection}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the fitted object again."""
        return cls(np.asarray(state["mean"]), np.asarray(state["projection"]))

    def _turned(self, vectors: Floats, matrix: Floats) -> Floats:
        turned = np.asarray((vectors - self.mean) @ matrix, dtype=np.float32)
        turned[~vectors.any(axis=1)] = 0.0
        return unit_rows(turned)


def _shrunk(
    variances: NDArray[np.float64], centred: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shrink variances towards their mean by the amount that Ledoit and Wolf estimate."""
    average = np.trace(covariance) / len(covariance)
    size = float((covariance**2).sum())
    spread = size - len(covariance) * average**2
    if spread <= 0 or not len(centred):
        return variances
    noise = (float((np.square(centred).sum(axis=1) ** 2).mean()) - size) / len(centred)
    share = min(1.0, max(0.0, noise / spread))
    return (1 - share) * variances + share * average
