from __future__ import annotations

import numpy as np
import pytest

from longtale.blend.calibrate import standardised
from longtale.blend.lists import Example, Lists
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.evaluate.accuracy import ndcg, target_ranks

N_SOURCES, N_REQUESTS, N_ITEMS = 3, 20, 40


@pytest.fixture
def example(rng: np.random.Generator) -> Example:
    scores = rng.normal(size=(N_SOURCES, N_REQUESTS, N_ITEMS)).astype(np.float32)
    scores[1, :, :5] = np.nan
    masked = rng.random((N_REQUESTS, N_ITEMS)) < 0.2
    targets = [rng.choice(np.flatnonzero(~m), size=2, replace=False).tolist() for m in masked]
    return Example(Queries.of([[0]] * N_REQUESTS), scores, Histories.of(targets), masked)


def test_whole_catalogue_in_a_list_gives_the_ndcg_of_full_ranking(example):
    lists = Lists.of(example, N_ITEMS)
    weights = np.array([0.5, 0.2, 0.3], dtype=np.float32)
    blended = np.tensordot(weights, standardised(example.scores), axes=1)
    blended[example.masked] = np.nan
    ranks = target_ranks(blended, example.targets)
    np.testing.assert_allclose(lists.ndcg(lists.scores @ weights, 5), ndcg(ranks, 5), atol=1e-6)


def test_lists_hold_each_sources_best_and_nothing_masked(example):
    lists = Lists.of(example, 3)
    calibrated = np.where(example.masked, -np.inf, standardised(example.scores))
    for request in range(N_REQUESTS):
        inside = set(lists.items[lists.owners == request].tolist())
        targets = example.targets.take(np.array([request])).items.tolist()
        best = {int(i) for own in calibrated[:, request] for i in np.argsort(-own)[:3]}
        assert inside == best
        assert set(lists.items[(lists.owners == request) & lists.relevant].tolist()) == (
            best & set(targets)
        )
        assert lists.found[request] == bool(best & set(targets))


def test_targets_lose_every_tie(example):
    lists = Lists.of(example, N_ITEMS)
    last = lists.ndcg(np.zeros(len(lists.items), dtype=np.float32), N_ITEMS)
    first = lists.ndcg(lists.relevant.astype(np.float32), N_ITEMS)
    assert (last < 0.4).all()
    assert (first > 0.7).all()  # two targets tie with each other too


def test_chosen_lists_are_as_they_were_alone(example):
    lists = Lists.of(example, 5)
    some = lists.take(np.array([7, 2]))
    again = Lists.concatenated([lists.take(np.array([7])), lists.take(np.array([2]))])
    for name in ("offsets", "items", "scores", "heard", "relevant", "sure", "requests", "found"):
        np.testing.assert_array_equal(getattr(some, name), getattr(again, name))
    np.testing.assert_array_equal(some.items[some.owners == 1], lists.items[lists.owners == 2])


def test_list_without_target_has_no_ndcg(example):
    nothing = Histories.of([[]] * N_REQUESTS)
    queries, scores, masked = example.queries, example.scores, example.masked
    lists = Lists.of(Example(queries, scores, nothing, masked), 5)
    assert np.isnan(lists.ndcg(lists.scores[:, 0], 10)).all()
