from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from longtale.data.arrivals import Arrivals, appended
from longtale.data.query import Queries
from longtale.data.synthetic import generated
from longtale.models import als
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


def clicks(user: int, item: int) -> Arrivals:
    return Arrivals.of([user, user], [item, 0], times=[10**18] * 2)


def slow_update(model: ALS, before, after, events: Arrivals, item: int):
    """Solve for one item from all users, each folded in from what they like now."""
    weights = after.matrix().toarray()
    users = model.user_factors(interest(after.histories(np.arange(80)), model.known, binary=False))
    active = np.unique(events.users)
    old = interest(before.histories(active), model.known, binary=False)
    gone, come = model.user_factors(old), users[active]
    confidences = model.settings.alpha * weights[:, item]
    liking = confidences > 0
    left = model.user_gram + come.T @ come - gone.T @ gone
    left = left + users[liking].T * (confidences[liking] - 1) @ users[liking]
    return np.linalg.solve(left, confidences[liking] @ users[liking])


def test_a_touched_item_is_solved_from_all_its_users(dataset):
    model = ALS.fit(dataset, ALSSettings(factors=8, iterations=4))
    rare = int(np.argsort(dataset.item_counts, kind="stable")[3])
    events = clicks(5, rare)
    later = appended(dataset, events)
    found = model.updated(later, events).item_factors[rare]
    expected = slow_update(model, dataset, later, events, rare)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_sample_stands_for_the_users_of_a_popular_item(dataset, monkeypatch):
    model = ALS.fit(dataset, ALSSettings(factors=8, iterations=15))
    popular = int(dataset.item_counts.argmax())
    user = int(np.flatnonzero(dataset.matrix()[:, [popular]].toarray()[:, 0] == 0)[0])
    events = clicks(user, popular)
    later = appended(dataset, events)
    whole = model.updated(later, events).item_factors[popular]
    monkeypatch.setattr(als, "_SAMPLE", 10)
    sampled = model.updated(later, events).item_factors[popular]
    moved = np.linalg.norm(whole - model.item_factors[popular])
    assert np.linalg.norm(sampled - whole) < moved / 2


def test_items_nobody_touched_stay_where_they_are(dataset):
    model = ALS.fit(dataset, ALSSettings(factors=8, iterations=4))
    events = clicks(5, 3)
    later = model.updated(appended(dataset, events), events)
    moved = np.any(later.item_factors != model.item_factors, axis=1)
    assert np.flatnonzero(moved).tolist() == [0, 3]
