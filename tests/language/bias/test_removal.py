"""Taking out of vectors what tells groups apart."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.arrays import unit_rows
from longtale.errors import SettingsError
from longtale.language.bias.removal import Removal

N, D = 400, 10


def vectors() -> np.ndarray:
    """Vectors of three groups, which lie apart from each other in two directions."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(N, D)).astype(np.float32)
    drawn[:100, 0] += 3
    drawn[100:200, 1] += 3
    return unit_rows(drawn)


GROUPS = {"a": np.arange(N) < 100, "b": (np.arange(N) >= 100) & (np.arange(N) < 200)}


def gap(rows: np.ndarray, name: str) -> float:
    own = GROUPS[name]
    return float(np.linalg.norm(rows[own].mean(axis=0) - rows[~own].mean(axis=0)))


def told_apart(rows: np.ndarray, name: str) -> float:
    """Give the share that the best linear rule of least squares gets right above guessing."""
    own = GROUPS[name]
    design = np.column_stack([rows, np.ones(N)]).astype(np.float64)
    answer = np.linalg.lstsq(design, own.astype(np.float64), rcond=None)[0]
    return float(((design @ answer > 0.5) == own).mean() - (~own).mean())


@pytest.mark.parametrize("name", list(GROUPS))
def test_no_linear_rule_tells_groups_apart_afterwards(name: str) -> None:
    before = vectors()
    after = Removal.fit(before, GROUPS).apply(before)
    assert gap(before, name) > 0.5
    assert gap(after, name) < 0.06
    assert told_apart(before, name) > 0.1
    assert told_apart(after, name) < 0.02


def test_only_the_directions_of_the_groups_go() -> None:
    removal = Removal.fit(vectors(), GROUPS)
    assert removal.directions.shape == (2, D)
    np.testing.assert_allclose(removal.directions @ removal.directions.T, np.eye(2), atol=1e-5)
    other = np.linalg.svd(removal.directions)[2][2:].astype(np.float32)
    np.testing.assert_allclose(removal.apply(other), other, atol=1e-5)
    zero = np.zeros((1, D), dtype=np.float32)
    np.testing.assert_array_equal(removal.apply(zero), zero)


def test_strength_buys_back_what_was_there() -> None:
    before = vectors()
    gaps = [
        gap(Removal.fit(before, GROUPS, strength=strength).apply(before), "a")
        for strength in (0.0, 0.5, 1.0)
    ]
    assert gaps[0] == pytest.approx(gap(before, "a"), abs=1e-5)
    assert gaps[0] > gaps[1] > gaps[2]


def test_a_strength_beyond_all_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"strength is 1\.5; expected 0 to 1"):
        Removal.fit(vectors(), GROUPS, strength=1.5)
