from __future__ import annotations

import numpy as np
import pytest

from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.fixed import FixedBlend, FixedSettings
from longtale.blend.gate import GatedBlend
from longtale.data.query import Queries

M = np.array([[1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]], dtype=np.float32)
"""Who of three users chose which of four items; items 3 and 4 are the tail."""
E = np.array([[0.2, 0.3, 0.1, 0.4], [0.1, 0.5, 0.3, 0.1]], dtype=np.float32)
"""The vectors of items 3 and 4."""


@pytest.fixture
def scores() -> np.ndarray:
    """The three terms for items 3 and 4, float32 (3, 3, 2)."""
    tower = M @ E.T
    profiles = M[:, 2:] @ E / np.maximum(M[:, 2:].sum(axis=1, keepdims=True), 1)
    together = M.T @ M
    np.fill_diagonal(together, 0)
    return np.stack([tower, profiles @ E.T, (M @ together)[:, 2:]])


@pytest.fixture
def queries() -> Queries:
    return Queries.of([np.flatnonzero(row).tolist() for row in M])


def test_formula_gives_the_worked_example(scores, queries):
    blended = FixedBlend(FixedSettings(alpha=0.7, beta=0.3)).contributions(queries, scores)
    # User 1, item 3: .49 · (.2 + .1) + .21 · e3·e3 + .3 · (item 1 and 3 chosen together once).
    by_hand = [[0.51, 0.5464], [0.7914, 1.0186], [0.112, 0.1974]]
    np.testing.assert_allclose(blended.sum(axis=0), by_hand, atol=1e-6)
    np.testing.assert_allclose(blended[:, 0, 0], [0.147, 0.063, 0.3], atol=1e-6)


def test_alpha_and_beta_at_their_ends_leave_one_term(scores, queries):
    for alpha, beta, term in [(0, 0.5, 2), (1, 0, 0), (1, 1, 1)]:
        blend = FixedBlend(FixedSettings(alpha=alpha, beta=beta))
        assert blend.uses(queries).tolist() == [source == term for source in range(3)]
        blended = blend.contributions(queries, scores).sum(axis=0)
        np.testing.assert_allclose(blended, scores[term], atol=1e-6)


def test_flat_gate_with_these_weights_is_the_calibrated_formula(scores, queries):
    fixed = FixedBlend(FixedSettings(alpha=0.7, beta=0.3, calibrated=True))
    convex = ConvexBlend(BlendSettings(), fixed.weights, fixed.weights)
    gate = GatedBlend.flat(convex, np.zeros((2, 3), dtype=np.float32))
    np.testing.assert_allclose(
        gate.contributions(queries, scores), fixed.contributions(queries, scores), atol=1e-6
    )


def test_item_that_no_term_scores_stands_behind_all(scores, queries):
    scores[:, :, 0] = np.nan
    blended = FixedBlend(FixedSettings()).contributions(queries, scores).sum(axis=0)
    assert np.isneginf(blended[:, 0]).all()
