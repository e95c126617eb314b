from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longtale.arrays import Floats, unit_rows
from longtale.encode.whiten import Whitening, WhiteningSettings


def narrow_vectors(n_items: int, dim: int, *, seed: int = 0) -> Floats:
    """Unit rows in a narrow cone as language models give them."""
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(n_items, dim)) * np.geomspace(1, 0.05, dim)
    return unit_rows((spread + 3.0).astype(np.float32))


def fitted(vectors: Floats, *, dim: int, power: float = 1.0) -> Whitening:
    return Whitening.fit(vectors, WhiteningSettings(dim=dim, power=power))


@settings(max_examples=40, deadline=None)
@given(
    n_items=st.integers(0, 30),
    width=st.integers(1, 12),
    dim=st.integers(1, 16),
    power=st.floats(0, 1),
    seed=st.integers(0, 100),
)
def test_rows_are_unit_or_zero_at_any_size(
    n_items: int, width: int, dim: int, power: float, seed: int
):
    vectors = narrow_vectors(n_items, width, seed=seed)
    whitening = fitted(vectors, dim=dim, power=power)
    whitened = whitening.apply(vectors)
    assert whitened.shape == (n_items, whitening.dim) == (n_items, min(dim, width))
    lengths = np.linalg.norm(whitened, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-4) | (lengths == 0))


def test_directions_come_out_uncorrelated_and_equally_spread():
    vectors = narrow_vectors(4000, 12)
    whitening = fitted(vectors, dim=6)
    spread = (vectors - whitening.mean) @ whitening.projection
    np.testing.assert_allclose(np.cov(spread.T), np.eye(6), atol=0.05)


def test_power_0_only_centres_and_turns():
    vectors = narrow_vectors(200, 8)
    whitened = fitted(vectors, dim=8, power=0.0).apply(vectors)
    centred = unit_rows(vectors - vectors.mean(axis=0))
    np.testing.assert_allclose(whitened @ whitened.T, centred @ centred.T, atol=1e-4)


def test_zero_rows_stay_zero_and_are_left_out_of_the_fit():
    vectors = narrow_vectors(50, 8)
    with_blank = np.vstack([vectors, np.zeros((50, 8), dtype=np.float32)])
    whitening = fitted(with_blank, dim=4)
    np.testing.assert_allclose(whitening.mean, vectors.mean(axis=0), atol=1e-6)
    assert not whitening.apply(with_blank)[50:].any()


def test_a_handful_of_items_keep_their_likeness():
    rng = np.random.default_rng(0)
    twins = np.repeat(rng.normal(size=(20, 64)), 2, axis=0)
    vectors = unit_rows((twins + 0.3 * rng.normal(size=twins.shape)).astype(np.float32))
    whitened = fitted(vectors, dim=64).apply(vectors)
    alike = whitened @ whitened.T
    np.fill_diagonal(alike, -1.0)
    assert alike.argmax(axis=1).tolist() == (np.arange(40) ^ 1).tolist()
    assert alike.max(axis=1).min() > 0.3  # without shrinkage all are equally far: -1/39


@pytest.mark.parametrize("n_items", [0, 1, 5])
def test_items_that_are_all_alike_become_zero_rows(n_items: int):
    vectors = np.tile(unit_rows(np.ones((1, 4), dtype=np.float32)), (n_items, 1))
    assert not fitted(vectors, dim=2).apply(vectors).any()


def test_a_round_trip_is_bit_equal():
    vectors = narrow_vectors(50, 8)
    whitening = fitted(vectors, dim=4, power=0.5)
    restored = Whitening.restore(whitening.state())
    np.testing.assert_array_equal(restored.apply(vectors), whitening.apply(vectors))


def test_words_turned_towards_items_rank_them_as_the_plain_product(rng):
    vectors = unit_rows(rng.normal(size=(200, 16)).astype(np.float32) * np.linspace(4, 1, 16))
    whitening = fitted(vectors.astype(np.float32), dim=16, power=1.0)
    words = unit_rows(rng.normal(size=(3, 16)).astype(np.float32))
    lengths = np.linalg.norm((vectors - whitening.mean) @ whitening.projection, axis=1)
    found = whitening.towards(words) @ whitening.apply(vectors.astype(np.float32)).T * lengths
    plain = (words - whitening.mean) @ (vectors - whitening.mean).T
    for row, expected in zip(found, plain, strict=True):
        np.testing.assert_allclose(row / row[0], expected / expected[0], rtol=1e-2)


def test_no_words_stay_no_direction(rng):
    whitening = fitted(unit_rows(rng.normal(size=(50, 8)).astype(np.float32)), dim=8)
    assert not whitening.towards(np.zeros((1, 8), dtype=np.float32)).any()
