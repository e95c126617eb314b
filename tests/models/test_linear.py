from __future__ import annotations

import numpy as np
from scipy import sparse

from longtale.data.interactions import Histories
from longtale.models.linear import ItemWeights, sparse_restored, sparse_state

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


def test_items_newer_than_the_weights_are_no_evidence():
    assert WEIGHTS.evidence(np.array([7, 2]), np.array([1, 9])).tolist() == [[0, 0], [3, 0]]


def test_sparse_matrix_survives_as_arrays():
    restored = sparse_restored(sparse_state(WEIGHTS.matrix))
    np.testing.assert_array_equal(restored.toarray(), WEIGHTS.matrix.toarray())
