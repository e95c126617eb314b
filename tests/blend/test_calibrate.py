from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from longtale.blend.calibrate import standardised

_SCORES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 12)),
    elements=st.floats(-1000, 1000, width=32) | st.just(np.nan),
)


@given(_SCORES)
def test_known_scores_get_mean_zero_and_at_most_deviation_one(scores: np.ndarray) -> None:
    calibrated = standardised(scores)
    known = ~np.isnan(scores)
    n_known = np.maximum(known.sum(axis=-1), 1)
    np.testing.assert_allclose(calibrated.sum(axis=-1) / n_known, 0, atol=1e-3)
    assert (np.square(calibrated).sum(axis=-1) / n_known <= 1 + 1e-3).all()


@given(_SCORES)
def test_missing_scores_become_the_mean(scores: np.ndarray) -> None:
    assert (standardised(scores)[np.isnan(scores)] == 0).all()


def test_calibration_ignores_scale_and_shift() -> None:
    scores = np.array([[[1.0, 5.0, 2.0, np.nan]]], dtype=np.float32)
    np.testing.assert_allclose(standardised(scores), standardised(100 * scores - 7), rtol=1e-5)


def test_a_source_that_tells_nothing_apart_becomes_zero() -> None:
    assert (standardised(np.full((1, 2, 5), 3.0, dtype=np.float32)) == 0).all()


def test_deviation_is_measured_over_known_scores_only() -> None:
    scores = np.array([[[0.0, 2.0, np.nan, np.nan]]], dtype=np.float32)
    assert standardised(scores)[0, 0].tolist() == pytest.approx([-1, 1, 0, 0])
