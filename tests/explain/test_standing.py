from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.explain.worlds import Adding, adding

from longtale.data.candidates import Candidates, Slate
from longtale.data.query import Queries
from longtale.explain.standing import Standing


def world() -> Adding:
    return adding(6, {(0, 3): 2.0, (1, 3): 1.0, (1, 4): 4.0}, row=3)


def test_shares_add_up_to_the_distance_from_the_mean_candidate() -> None:
    queries = Queries.of([[0, 1], [1], []])
    standing = world().stand(queries)
    scores = np.array([[0, 0, 0, 3, 4, 0], [0, 0, 0, 1, 4, 0], [0] * 6])
    np.testing.assert_allclose(standing.values, scores[:, 3] - scores.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(standing.means, scores.mean(axis=1), atol=1e-6)


def test_what_lifts_all_items_alike_explains_none() -> None:
    lifted = replace(world(), popular=np.full(6, 7, dtype=np.float32))
    plain, same = world().stand(Queries.of([[0]])), lifted.stand(Queries.of([[0]]))
    np.testing.assert_allclose(same.shares, plain.shares, atol=1e-5)
    assert same.shares[0, 0] == pytest.approx(0, abs=1e-5)


def test_items_that_may_not_come_are_not_compared_with() -> None:
    scores = np.float32([[5, 1, 3]])
    parts = scores[None]
    allowed = Candidates.best(scores, 3, exclude=np.array([[True, False, False]]))
    standing = Standing.of(Slate.of(allowed, parts, sources=("ease",)), 2, unscored=-1e5)
    assert standing.values.tolist() == [1.0]
    assert (standing.ranks[0], standing.n_candidates[0]) == (1, 2)


def test_an_item_that_no_source_scored_counts_as_nothing() -> None:
    scores = np.float32([[4, -1e6, 2]])
    slate = Slate.of(Candidates.best(scores, 3), scores[None], sources=("ease",))
    unscored = Standing.of(slate, 1, unscored=-1e5)
    assert not unscored.is_scored[0]
    assert unscored.values[0] == -2
    assert (unscored.ranks[0], unscored.n_candidates[0]) == (3, 3)
    assert Standing.of(slate, 0, unscored=-1e5).values[0] == 2


def test_the_rank_is_the_place_among_all() -> None:
    standing = world().stand(Queries.of([[0, 1], [0], [1]]))
    assert standing.ranks.tolist() == [2, 1, 2]


def test_batches_put_together_are_as_one() -> None:
    whole = world().stand(Queries.of([[0, 1], [1], []]))
    parts = [world().stand(Queries.of([history])) for history in ([0, 1], [1], [])]
    together = Standing.concatenated(parts)
    for name in ("shares", "means", "ranks", "n_candidates", "is_scored", "weights"):
        np.testing.assert_array_equal(getattr(together, name), getattr(whole, name))
