"""How good answers are, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.language.heads.judging import judged, log_temperature
from longtale.language.heads.settings import HeadTask

CLICK = HeadTask(name="click", weight=3.0)
BUY = HeadTask(name="buy", kind="conversion")
STARS = HeadTask(name="stars", kind="rating")


def test_tasks_count_by_their_weights_and_only_known_rows() -> None:
    labels = np.array([[1, 2, 5], [0, 0, 1], [np.nan, np.nan, np.nan]], dtype=np.float32)
    answers = [
        np.array([0.9, 0.2, 0.5], dtype=np.float32),
        np.array([[0.1, 0.1, 0.8], [0.3, 0.5, 0.2], [1, 0, 0]], dtype=np.float32),
        np.array([4, 2, 9], dtype=np.float32),
    ]
    constant = -np.log(0.5)
    click = 1 + np.log([0.9, 0.8]).mean() / constant
    buy = 1 + np.log([0.8, 0.3]).mean() / constant
    stars = 1 - 1 / 4
    expected = (3 * click + buy + stars) / 5
    assert judged(answers, labels, (CLICK, BUY, STARS)) == pytest.approx(expected)


def test_a_constant_explains_nothing() -> None:
    labels = np.array([[1, 0, 3], [0, 0, 4], [0, 2, 5], [0, 0, 8]], dtype=np.float32)
    answers = [
        np.full(4, 0.25, dtype=np.float32),
        np.tile(np.float32([0.75, 0, 0.25]), (4, 1)),
        np.full(4, 5, dtype=np.float32),
    ]
    assert judged(answers, labels, (CLICK, BUY, STARS)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("label", [0, 1])
def test_where_all_is_alike_what_is_surer_is_better(label: int) -> None:
    labels = np.full((3, 1), label, dtype=np.float32)
    sure, unsure = (np.full(3, abs(label - far), dtype=np.float32) for far in (0.1, 0.4))
    assert judged([unsure], labels, (CLICK,)) < judged([sure], labels, (CLICK,)) < 0


@pytest.mark.parametrize("n_classes", [2, 4])
def test_temperature_brings_boasts_back(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(20_000, n_classes))
    labels = np.argmax(honest + rng.gumbel(size=honest.shape), axis=1).astype(np.float32)
    logits = (3 * honest).astype(np.float32)
    if n_classes == 2:
        logits = logits[:, 1] - logits[:, 0]
    assert np.exp(log_temperature(logits, labels)) == pytest.approx(3, rel=0.05)
