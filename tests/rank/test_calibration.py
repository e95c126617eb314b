from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from longtale.errors import DataError
from longtale.rank.calibration import Calibration, Reliability, auc


def promised(rng, n=20_000, *, slope=1.0, offset=0.0):
    """Give log-odds and what happened, where the truth is a line through the log-odds."""
    raw = rng.normal(size=n)
    return raw, (rng.random(n) < expit(slope * raw + offset)).astype(np.float32)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_what_is_promised_happens(rng, method):
    raw, labels = promised(rng, slope=0.4, offset=-1.0)
    fitted = Calibration.fit(raw[:10_000], labels[:10_000], method)
    kept = Reliability.of(fitted.apply(raw[10_000:]), labels[10_000:])
    broken = Reliability.of(expit(raw[10_000:]), labels[10_000:])
    assert kept.error < 0.03
    assert broken.error > 0.15


def test_platt_finds_the_line(rng):
    raw, labels = promised(rng, 100_000, slope=2.0, offset=-0.5)
    np.testing.assert_allclose(Calibration.fit(raw, labels, "platt").inputs, [2, -0.5], atol=0.05)


def test_isotonic_never_falls_and_equals_the_shares_of_a_rising_sample():
    raw = np.array([0.0, 0, 1, 1, 2, 2])
    labels = np.array([0.0, 0, 1, 0, 1, 1])
    fitted = Calibration.fit(raw, labels, "isotonic")
    assert fitted.apply(np.array([-9.0, 0, 1, 2, 9])).tolist() == [0, 0, 0.5, 1, 1]
    falling = Calibration.fit(raw, labels[::-1], "isotonic")
    assert falling.apply(raw).tolist() == [0.5] * 6


def test_temperature_is_the_one_that_made_the_labels(rng):
    raw = rng.normal(size=(40_000, 3)) * 3
    shares = softmax(raw / 2, axis=1).cumsum(axis=1)
    labels = (rng.random((len(raw), 1)) > shares).sum(axis=1)
    fitted = Calibration.fit(raw, labels, "temperature")
    assert fitted.inputs[0] == pytest.approx(2, rel=0.05)
    np.testing.assert_allclose(fitted.apply(raw).sum(axis=1), 1, rtol=1e-5)


def test_none_is_the_plain_probability():
    raw = np.array([-1.0, 0.0, 2.0])
    fitted = Calibration.fit(raw, np.array([0, 1, 1]), "none")
    np.testing.assert_allclose(fitted.apply(raw), expit(raw), rtol=1e-6)


@pytest.mark.parametrize("method", ["none", "platt", "isotonic"])
def test_restored_answers_bit_equal(rng, method):
    raw, labels = promised(rng, 500)
    fitted = Calibration.fit(raw, labels, method)
    restored = Calibration.restore(method, fitted.state())
    np.testing.assert_array_equal(restored.apply(raw), fitted.apply(raw))


def test_a_method_for_another_shape_is_refused():
    with pytest.raises(DataError, match="take temperature"):
        Calibration.fit(np.zeros((3, 2)), np.zeros(3), "platt")
    with pytest.raises(DataError, match="platt or isotonic"):
        Calibration.fit(np.zeros(3), np.zeros(3), "temperature")


def test_nothing_to_calibrate_on_is_an_error():
    with pytest.raises(DataError, match="no row"):
        Calibration.fit(np.zeros(0), np.zeros(0), "platt")


def test_reliability_counts_every_row_in_bins_of_equal_size(rng):
    probabilities = rng.random(1000)
    labels = (rng.random(1000) < probabilities).astype(float)
    table = Reliability.of(probabilities, labels, n_bins=4)
    assert table.counts.tolist() == [250] * 4
    order = np.argsort(probabilities)
    np.testing.assert_allclose(table.predicted, probabilities[order].reshape(4, -1).mean(axis=1))
    np.testing.assert_allclose(table.happened, labels[order].reshape(4, -1).mean(axis=1))
    expected = np.abs(table.predicted - table.happened).mean()
    assert table.error == pytest.approx(expected)


def test_equal_probabilities_stand_in_one_bin():
    table = Reliability.of(np.full(8, 0.25), np.array([1, 1, 0, 0, 0, 0, 0, 0]))
    assert table.counts.tolist() == [8]
    assert table.error == 0


def test_auc_is_the_share_of_pairs_in_the_right_order(rng):
    scores, labels = rng.integers(5, size=60), rng.integers(2, size=60)
    pairs = [
        (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2
        for i in np.flatnonzero(labels)
        for j in np.flatnonzero(labels == 0)
    ]
    assert auc(scores, labels) == pytest.approx(np.mean(pairs))
    assert np.isnan(auc(scores, np.ones(60)))
