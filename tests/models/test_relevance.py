from __future__ import annotations

import numpy as np
from scipy import optimize, sparse

from longtale.models.relevance import relevances
from longtale.seeds import generator

N_ITEMS, N_GOALS = 60, 40


def world():
    """Goals follow the first part; the second has nothing to do with them."""
    rng = generator(0, "relevance")
    telling, idle = rng.normal(size=(2, N_ITEMS, 4))
    goals = telling @ rng.normal(size=(4, N_GOALS)) + 0.3 * rng.normal(size=(N_ITEMS, N_GOALS))
    parts = [telling.astype(np.float32), sparse.csr_array(idle.astype(np.float32))]
    doubts = rng.uniform(1, 2, size=N_ITEMS).astype(np.float32)
    return parts, np.asfortranarray(goals, dtype=np.float32), doubts


def unlikelihood(logs, parts, goals, doubts):
    """Give -2 log p(goals) with the scale s² chosen best, up to a constant."""
    dense = [part.toarray() if sparse.issparse(part) else part for part in parts]
    *weights, l2 = np.exp(logs)
    covariance = l2 * np.diag(doubts.astype(float))
    for weight, part in zip(weights, dense, strict=True):
        covariance += weight * part @ part.T
    size = np.sum(goals * np.linalg.solve(covariance, goals))
    return N_ITEMS * N_GOALS * np.log(size) + N_GOALS * np.linalg.slogdet(covariance)[1]


def found_by(rounds, start=(1.0, 1.0)):
    parts, goals, doubts = world()
    return relevances(parts, goals, doubts, start=np.array(start), l2=2.0, rounds=rounds)


def test_weights_reach_the_greatest_likelihood():
    weights, l2 = found_by(200)
    best = optimize.minimize(
        unlikelihood, np.zeros(3), args=world(), method="Nelder-Mead", options={"maxiter": 2000}
    )
    reached = unlikelihood(np.log([*np.maximum(weights, 1e-9), l2]), *world())
    assert reached < best.fun + 0.5
    np.testing.assert_allclose(weights[0] / l2, np.exp(best.x[0] - best.x[2]), rtol=0.05)


def test_each_round_is_more_likely():
    values = [
        unlikelihood(np.log([*weights, l2]), *world())
        for weights, l2 in (found_by(rounds) for rounds in (0, 1, 2, 4, 8))
    ]
    assert values == sorted(values, reverse=True)


def test_part_that_tells_nothing_fades():
    weights, _ = found_by(10)
    assert weights[1] < 0.01 * weights[0]


def test_no_round_leaves_the_start():
    weights, l2 = found_by(0, start=(0.5, 3.0))
    assert weights.tolist() == [0.5, 3.0]
    assert l2 == 2.0


def test_weight_zero_stays_zero_and_part_without_features_keeps_its_weight():
    parts, goals, doubts = world()
    parts.append(np.zeros((N_ITEMS, 2), dtype=np.float32))
    weights, _ = relevances(parts, goals, doubts, start=np.array([1, 0, 0.7]), l2=1.0, rounds=3)
    assert weights[1] == 0
    assert weights[2] == 0.7
