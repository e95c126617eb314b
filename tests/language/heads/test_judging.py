"""How good answers are, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.language.heads.judging import auc, judged, log_temperature
from longtale.language.heads.settings import HeadTask

CLICK = HeadTask(name="click", weight=3.0)
BUY = HeadTask(name="buy", kind="conversion")
STARS = HeadTask(name="stars", kind="rating")


def test_auc_counts_the_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(5, size=60).astype(np.float32)
    labels = rng.integers(2, size=60)
    yes, no = scores[labels == 1], scores[labels == 0]
    right = [(a > b) + 0.5 * (a == b) for a in yes for b in no]
    assert auc(scores, labels) == pytest.approx(np.mean(right))


@pytest.mark.parametrize("label", [0, 1])
def test_auc_of_one_kind_of_rows_says_nothing(label: int) -> None:
    assert auc(np.arange(3, dtype=np.float32), np.full(3, label)) == 0.5


def test_tasks_count_by_their_weights_and_only_known_rows() -> None:
    labels = np.array([[1, 2, 5], [0, 0, 1], [np.nan, np.nan, np.nan]], dtype=np.float32)
    answers = [
        np.array([0.9, 0.1, 0.5], dtype=np.float32),
        np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=np.float32),
        np.array([4, 2, 9], dtype=np.float32),
    ]
    expected = (3 * 1.0 + 0.5 - 1 / 2) / 5
    assert judged(answers, labels, (CLICK, BUY, STARS)) == pytest.approx(expected)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_temperature_brings_boasts_back(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(20_000, n_classes))
    labels = np.argmax(honest + rng.gumbel(size=honest.shape), axis=1).astype(np.float32)
    logits = (3 * honest).astype(np.float32)
    if n_classes == 2:
        logits = logits[:, 1] - logits[:, 0]
    assert np.exp(log_temperature(logits, labels)) == pytest.approx(3, rel=0.05)
