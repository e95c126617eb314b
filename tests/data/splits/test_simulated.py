from __future__ import annotations

import numpy as np

from longtale.data.splits.simulated import simulated_cold
from longtale.data.synthetic import generated
from longtale.seeds import generator


def test_simulated_cold_items_leave_no_event_and_are_targets_by_chance():
    dataset = generated(generator(0, "fold"), 80, 40, 900)
    fold = simulated_cold(dataset, share=0.2, n_users=50, rng=generator(0, "cold"))
    hidden = (dataset.item_counts > 0) & (fold.train.item_counts == 0)
    assert hidden.sum() >= round(0.2 * np.count_nonzero(dataset.item_counts))
    assert len(fold) <= 50
    is_cold = hidden[fold.targets.items]
    assert 0 < is_cold.sum() < len(is_cold)
    np.testing.assert_array_equal(fold.ranked, dataset.item_counts > 0)
