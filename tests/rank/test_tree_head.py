from __future__ import annotations

import numpy as np
import pytest

from longtale.rank.boosting import Table
from longtale.rank.calibration import Reliability, auc
from longtale.rank.tree_head import TreeHead, TreeHeadSettings

pytest.importorskip("lightgbm")

SETTINGS = TreeHeadSettings(trees=60, learning_rate=0.2, min_rows=20)


def rows(rng, n: int) -> Table:
    x = rng.normal(size=(n, 3)).astype(np.float32)
    happens = x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=n) > 0
    return Table(x, happens.astype(np.float32))


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(5)
    return rows(rng, 2000), rows(rng, 600), rows(rng, 600)


@pytest.fixture(scope="module")
def head(parts) -> TreeHead:
    return TreeHead.fit(parts[0], parts[1], SETTINGS)


def test_it_learns_and_keeps_its_word(head, parts):
    answer = head.answer(parts[2].features)
    assert answer.dtype == np.float32
    assert auc(answer, parts[2].labels) > 0.9
    assert Reliability.of(answer, parts[2].labels, n_bins=5).error < 0.08


def test_restored_answers_bit_equal(head, parts):
    restored = TreeHead.restore(SETTINGS, head.state())
    np.testing.assert_array_equal(
        restored.answer(parts[2].features), head.answer(parts[2].features)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"trees": 2},
        {"learning_rate": 0.1},
        {"leaves": 4},
        {"min_rows": 200},
        {"l2": 50.0},
        {"feature_share": 0.3},
        {"patience": 1},
        {"calibration": "isotonic"},
        {"seed": 1},
    ],
)
def test_each_setting_changes_something(parts, head, change):
    other = TreeHead.fit(parts[0], parts[1], SETTINGS.model_copy(update=change))
    usual = head.answer(parts[2].features)
    assert not np.array_equal(usual, other.answer(parts[2].features))
