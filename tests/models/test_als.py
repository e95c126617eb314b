from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from longtale.data.query import Queries
from longtale.data.synthetic import generated
from longtale.models.als import ALS, ALSSettings
from longtale.models.interest import interest
from longtale.seeds import generator


@pytest.fixture(scope="module")
def dataset():
    return generated(generator(0, "als"), 80, 30, 600)


def test_user_factors_equal_those_of_implicit(dataset):
    from implicit.cpu.als import AlternatingLeastSquares

    settings = ALSSettings(factors=8, regularization=0.5, alpha=3, iterations=4)
    model = ALS.fit(dataset, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the threads of BLAS
        peer = AlternatingLeastSquares(
            factors=8, regularization=0.5, alpha=3, iterations=4, random_state=settings.seed
        )
    matrix = sparse.csr_matrix(dataset.matrix())
    peer.fit(matrix, show_progress=False)
    np.testing.assert_allclose(model.item_factors, peer.item_factors, rtol=1e-4, atol=1e-5)
    users = np.arange(20)
    interests = interest(dataset.histories(users), model.known, binary=False)
    expected = peer.recalculate_user(users, matrix[users])
    np.testing.assert_allclose(model.user_factors(interests), expected, rtol=1e-3, atol=1e-4)


def test_fitting_says_nothing_of_the_threads_of_blas(dataset, recwarn):
    ALS.fit(dataset, ALSSettings(factors=4, iterations=1))
    assert not [str(warning.message) for warning in recwarn]


def test_a_newcomer_with_the_same_history_gets_the_same_scores(dataset):
    model = ALS.fit(dataset, ALSSettings(factors=8, iterations=3))
    history = dataset.histories(np.array([7]))
    known = Queries(np.array([7], dtype=np.int32), history)
    newcomer = Queries.of([history.items.tolist()])
    np.testing.assert_array_equal(model.scores(known), model.scores(newcomer))
