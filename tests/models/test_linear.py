from __future__ import annotations

import numpy as np
from scipy import sparse

from longtale.data.interactions import Histories
from longtale.models.linear import (
    ItemWeights,
    propensity_weights,
    sparse_restored,
    sparse_state,
)

WEIGHTS = ItemWeights(
    sparse.csr_array(np.array([[0, 2, 0], [1, 0, 0], [0, 3, 0]], dtype=np.float32)),
    np.array([True, True, True]),
)


def test_evidence_of_a_history_adds_up_to_the_scores():
    history, items = np.array([0, 2]), np.arange(3)
    evidence = WEIGHTS.evidence(history, items)
    assert evidence.tolist() == [[0, 2, 0], [0, 3, 0]]
    scores = WEIGHTS.scores(Histories.of([history.tolist()]), binary=True, half_life=None)
    np.testing.assert_array_equal(scores[0], evidence.sum(axis=0))


def test_scores_of_a_batch_are_the_product_of_interest_and_weights():
    histories = Histories.of([[0, 2, 0], [], [1]])
    interests = histories.matrix(3).toarray()
    scores = WEIGHTS.scores(histories, binary=False, half_life=None)
    wanted = interests @ WEIGHTS.matrix.toarray()
    wanted[1] = np.nan
    np.testing.assert_array_equal(scores, wanted)


def test_items_newer_than_the_weights_are_no_evidence():
    assert WEIGHTS.evidence(np.array([7, 2]), np.array([1, 9])).tolist() == [[0, 0], [3, 0]]


def test_sparse_matrix_survives_as_arrays():
    restored = sparse_restored(sparse_state(WEIGHTS.matrix))
    np.testing.assert_array_equal(restored.toarray(), WEIGHTS.matrix.toarray())


def test_propensity_weights_lift_what_was_touched_less():
    weights = propensity_weights(np.array([0, 1, 10, 100]), 0.5)
    assert (np.diff(weights) < 0).all()
    assert weights.min() > 0.5


def test_propensity_weight_of_middling_popularity_is_one():
    weights = propensity_weights(np.array([3, 15, 0, 63]), 2.0)  # 1 + n: 4, 16, 64
    np.testing.assert_allclose(weights[1], 1, rtol=1e-6)


def test_propensity_weights_change_nothing_at_zero():
    assert propensity_weights(np.array([0, 5, 900]), 0.0).tolist() == [1, 1, 1]


def test_propensity_weights_of_an_untouched_catalogue_are_one():
    assert propensity_weights(np.zeros(3, dtype=np.int64), 1.0).tolist() == [1, 1, 1]


def test_towards_tail_multiplies_the_columns():
    counts = np.array([1, 50, 9])
    lifted = WEIGHTS.towards_tail(counts, 0.5).matrix.toarray()
    expected = WEIGHTS.matrix.toarray() * propensity_weights(counts, 0.5)
    np.testing.assert_allclose(lifted, expected, rtol=1e-6)
