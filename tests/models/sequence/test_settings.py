"""What settings leave open follows from the data."""

from __future__ import annotations

import numpy as np

from longtale.models.sequence.settings import Plan, SequenceSettings


def test_short_histories_get_a_small_net_and_large_batches():
    plan = Plan.of(SequenceSettings(), np.full(100, 8))
    assert plan == Plan(
        n_blocks=1, max_length=20, batch_size=128, n_negatives=256, epochs=20, n_heads=1
    )


def test_long_histories_get_a_deep_net_and_small_batches():
    plan = Plan.of(SequenceSettings(), np.full(100, 500))
    assert plan == Plan(
        n_blocks=2, max_length=200, batch_size=32, n_negatives=768, epochs=40, n_heads=2
    )


def test_what_is_set_stays():
    given = SequenceSettings(
        n_blocks=3, max_length=7, batch_size=5, n_negatives=11, epochs=2, n_heads=4
    )
    assert Plan.of(given, np.array([2, 3])) == Plan(3, 7, 5, 11, 2, 4)


def test_users_with_nothing_to_learn_from_have_no_say():
    plan = Plan.of(SequenceSettings(), np.array([0, 1, 100, 0, 1]))
    assert plan.max_length == 100
    assert Plan.of(SequenceSettings(), np.array([], dtype=np.int64)).max_length == 20
