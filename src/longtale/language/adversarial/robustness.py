"""What is left of a score when texts are spoilt, over several dice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from longtale.arrays import Floats, Mask
from longtale.errors import DataError
from longtale.language.adversarial.perturbations import Perturbation
from longtale.seeds import generator

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spoilt:
    """A score under one perturbation.

    Args:
        name: of the perturbation.
        value: mean over seeds.
        low: lower end of the 95 % interval of the mean (Student's t); NaN of a single seed.
        high: upper end.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Robustness:
    """A score on clean texts and under each perturbation.

    Args:
        clean: on the texts as they are.
        spoilt: under each perturbation, and last, named `all`, the mean of them.
    """

    clean: float
    spoilt: tuple[Spoilt, ...]

    def loss(self, name: str = "all") -> float:
        """Give what a perturbation costs, in the unit of the score."""
        return self.clean - next(each.value for each in self.spoilt if each.name == name)


def robustness(
    encode: Callable[[list[str]], Floats],
    texts: Sequence[str],
    score: Callable[[Floats], float],
    *,
    perturbations: Mapping[str, Perturbation],
    seeds: Sequence[int] = (0, 1, 2),
    only: Mask | None = None,
) -> Robustness:
    """Measure a score on clean texts and with some or all of them spoilt.

    Args:
        encode: gives float32 (n, D) for n texts.
        texts: N texts.
        score: says how good the vectors of all N texts are, float32 (N, D).
        perturbations: by name.
        seeds: of the dice; two models with the same seeds read the same spoilt texts.
        only: bool (N,), which texts are spoilt, such as those of new items; None is all. The
            others are read once.

    Raises:
        DataError: there is no perturbation or no seed.
    """
    if not perturbations or not seeds:
        raise DataError("robustness needs at least one perturbation and one seed")
    rows = np.arange(len(texts)) if only is None else np.flatnonzero(only)
    clean = encode(list(texts))
    chosen = [texts[row] for row in rows.tolist()]
    values = np.empty((len(perturbations), len(seeds)))
    for number, (name, perturb) in enumerate(perturbations.items()):
        for draw, seed in enumerate(seeds):
            vectors = clean.copy()
            vectors[rows] = encode(perturb(chosen, generator(seed, name)))
            values[number, draw] = score(vectors)
    names = [*perturbations, "all"]
    together = np.vstack([values, values.mean(axis=0)])
    measured = [_over_seeds(name, own) for name, own in zip(names, together, strict=True)]
    return Robustness(float(score(clean)), tuple(measured))


def _over_seeds(name: str, values: NDArray[np.float64]) -> Spoilt:
    mean, reach = float(values.mean()), float("nan")
    if len(values) > 1:
        error = values.std(ddof=1) / np.sqrt(len(values))
        reach = float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1) * error)
    return Spoilt(name, mean, mean - reach, mean + reach)
