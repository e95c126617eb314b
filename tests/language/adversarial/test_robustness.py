"""What is left of a score when texts are spoilt."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.errors import DataError
from longtale.language.adversarial.robustness import robustness

TEXTS = ["aa", "bb", "cc", "dd"]


def lengths(texts: list[str]) -> np.ndarray:
    return np.array([[len(text)] for text in texts], dtype=np.float32)


def mean(vectors: np.ndarray) -> float:
    return float(vectors.mean())


def shorter(texts, rng) -> list[str]:
    return [text[:-1] for text in texts]


def by_chance(texts, rng) -> list[str]:
    return [text * int(rng.integers(1, 5)) for text in texts]


def test_the_loss_is_what_the_perturbation_takes() -> None:
    found = robustness(lengths, TEXTS, mean, perturbations={"cut": shorter}, seeds=[0, 1])
    assert found.clean == 2.0
    assert found.loss("cut") == found.loss() == 1.0
    assert (found.spoilt[0].low, found.spoilt[0].high) == (1.0, 1.0)


def test_only_the_chosen_texts_are_spoilt() -> None:
    seen = []
    robustness(
        lengths,
        ["a", "bb", "ccc", "dddd"],
        lambda vectors: seen.append(vectors.ravel().tolist()) or 0.0,
        perturbations={"cut": shorter},
        seeds=[0],
        only=np.array([False, True, False, True]),
    )
    assert [1, 1, 3, 3] in seen
    assert [1, 2, 3, 4] in seen


def test_the_interval_is_that_of_student_over_seeds() -> None:
    found = robustness(lengths, TEXTS, mean, perturbations={"chance": by_chance}, seeds=range(5))
    one = found.spoilt[0]
    singles = [
        robustness(lengths, TEXTS, mean, perturbations={"chance": by_chance}, seeds=[seed])
        for seed in range(5)
    ]
    values = np.array([each.spoilt[0].value for each in singles])
    assert one.value == pytest.approx(values.mean())
    reach = 2.7764 * values.std(ddof=1) / np.sqrt(5)  # t(.975, 4 degrees of freedom)
    assert one.high - one.value == pytest.approx(reach, rel=1e-4)
    assert np.isnan(singles[0].spoilt[0].low)


def test_all_is_the_mean_of_the_perturbations() -> None:
    ways = {"cut": shorter, "same": lambda texts, rng: list(texts)}
    found = robustness(lengths, TEXTS, mean, perturbations=ways, seeds=[0])
    assert [each.name for each in found.spoilt] == ["cut", "same", "all"]
    assert found.loss() == 0.5


def test_there_must_be_something_to_measure() -> None:
    with pytest.raises(DataError, match="at least one perturbation"):
        robustness(lengths, TEXTS, mean, perturbations={})
