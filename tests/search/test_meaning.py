from __future__ import annotations

import numpy as np
import pytest

from longtale.arrays import Floats, unit_rows
from longtale.search.meaning import PlainMeaning

WIDTH = 6


@pytest.fixture
def plain(rng: np.random.Generator) -> Floats:
    """Directions before whitening, the last one without text."""
    vectors = unit_rows(rng.normal(size=(20, WIDTH)).astype(np.float32))
    vectors[-1] = 0
    return vectors


@pytest.fixture
def projection(rng: np.random.Generator) -> Floats:
    """Turns and stretches, as whitening does."""
    turned, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    return (turned * np.linspace(0.5, 4, WIDTH)).astype(np.float32)


def test_plain_directions_are_read_off_whitened_ones(plain: Floats, projection: Floats) -> None:
    meaning = PlainMeaning.of(unit_rows(plain @ projection), projection)
    rows = np.array([[3, 4], [19, 0]])
    turned = meaning.of_items(rows)
    assert turned.shape == (2, 2, WIDTH)
    np.testing.assert_allclose(
        turned.reshape(4, -1) @ turned.reshape(4, -1).T,
        plain[rows.ravel()] @ plain[rows.ravel()].T,
        atol=1e-5,
    )


def test_products_with_whitened_items_become_plain_cosines(
    plain: Floats, projection: Floats, rng: np.random.Generator
) -> None:
    whitened = unit_rows(plain @ projection)
    meaning = PlainMeaning.of(whitened, projection)
    words = unit_rows(rng.normal(size=(3, WIDTH)).astype(np.float32))
    towards = unit_rows(words @ (projection / np.square(projection).sum(axis=0)))
    asked = meaning.of_words(towards)
    found = meaning.cosines(meaning.towards(asked) @ whitened.T)
    np.testing.assert_allclose(found, words @ plain.T, atol=1e-5)


def test_directions_that_whitening_left_out_say_nothing(plain: Floats, projection: Floats) -> None:
    projection[:, -2:] = 0
    whitened = unit_rows(plain @ projection)
    meaning = PlainMeaning.of(whitened, projection)
    asked = meaning.of_words(np.ones((1, WIDTH), dtype=np.float32))
    assert (asked[:, -2:] == 0).all()
    assert np.isfinite(meaning.cosines(meaning.towards(asked) @ whitened.T)).all()
