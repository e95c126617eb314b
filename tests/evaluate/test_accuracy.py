"""Ranks against a slow obvious count; metrics against a hand, scikit-learn and a slow walk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score
from tests.evaluate.worlds import ranks_at

from longtale.data.interactions import Histories
from longtale.errors import DataError
from longtale.evaluate import accuracy
from longtale.evaluate.accuracy import TargetRanks, target_ranks

NAN = float("nan")
METRICS_AT_K = (
    accuracy.precision,
    accuracy.recall,
    accuracy.f1,
    accuracy.hit_rate,
    accuracy.ndcg,
    accuracy.reciprocal_rank,
    accuracy.average_precision,
)


def scores_of(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def ranks_of(scores: np.ndarray, targets: list[list[int]], **limits: object) -> list[float]:
    return target_ranks(scores, Histories.of(targets), **limits).ranks.tolist()


def masking(rows: list[list[int]]) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, dtype=np.float32))


def slow_ranks(
    scores: np.ndarray, targets: list[list[int]], masked: np.ndarray, ranked: np.ndarray
) -> list[float]:
    found = []
    for row, wanted in enumerate(targets):
        key = [-math.inf if math.isnan(score) else float(score) for score in scores[row]]
        others = [i for i in range(len(key)) if ranked[i] and not masked[row, i]]
        for target in wanted:
            better = sum(key[i] > key[target] for i in others)
            equal = sum(key[i] == key[target] for i in others if i != target)
            found.append(1 + better + equal / 2)
    return found


@st.composite
def rankings(draw: st.DrawFn):
    """Scores of few different values, so that there are ties, with targets that take part."""
    n_users, n_items = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    value = st.sampled_from([NAN, -math.inf, -1.0, 0.0, 0.5, 2.0])
    scores = scores_of(
        *draw(
            st.lists(
                st.lists(value, min_size=n_items, max_size=n_items),
                min_size=n_users,
                max_size=n_users,
            )
        )
    )
    flags = st.lists(st.booleans(), min_size=n_items, max_size=n_items)
    ranked = np.array(draw(flags))
    masked = np.array(draw(st.lists(flags, min_size=n_users, max_size=n_users)))
    targets = [
        draw(st.lists(st.sampled_from(free), unique=True)) if len(free) else []
        for free in (np.flatnonzero(ranked & ~row).tolist() for row in masked)
    ]
    return scores, targets, masked, ranked


@given(rankings())
def test_ranks_equal_a_slow_count(world):
    scores, targets, masked, ranked = world
    found = ranks_of(scores, targets, masked=masking(masked.tolist()), ranked=ranked)
    assert found == slow_ranks(scores, targets, masked, ranked)


@given(rankings(), st.randoms(use_true_random=False))
def test_the_order_of_the_items_changes_no_rank(world, random):
    scores, targets, _, _ = world
    new_place = list(range(scores.shape[1]))
    random.shuffle(new_place)
    shuffled = np.empty_like(scores)
    shuffled[:, new_place] = scores
    moved = [[new_place[item] for item in row] for row in targets]
    assert ranks_of(shuffled, moved) == ranks_of(scores, targets)


def test_many_targets_of_one_user_get_the_ranks_that_each_would_get_alone():
    scores = np.random.default_rng(0).integers(0, 20, (3, 60)).astype(np.float32)
    wanted = [list(range(40)), [], [59]]
    alone = [ranks_of(scores[[row]], [[t]])[0] for row, ts in enumerate(wanted) for t in ts]
    assert ranks_of(scores, wanted) == alone


def test_best_item_has_rank_one():
    assert ranks_of(scores_of([0.1, 0.9, 0.5]), [[1]]) == [1.0]


def test_two_equal_items_share_their_places_half():
    assert ranks_of(scores_of([0.9, 0.5, 0.5, 0.1]), [[2]]) == [2.5]


def test_item_without_score_is_tied_at_the_bottom_with_its_like():
    assert ranks_of(scores_of([NAN, 0.0, NAN, -math.inf, -5.0]), [[0, 3]]) == [4.0, 4.0]


def test_masked_items_push_nobody_down():
    masked = masking([[1, 0, 0, 1]])
    assert ranks_of(scores_of([0.9, 0.5, 0.7, 0.5]), [[1]], masked=masked) == [2.0]


def test_stored_zero_masks_as_well():
    masked = sparse.csr_array((np.zeros(1), [0], [0, 1]), shape=(1, 2))
    assert ranks_of(scores_of([0.9, 0.5]), [[1]], masked=masked) == [1.0]


def test_only_ranked_items_stand_in_the_list():
    ranked = np.array([False, True, True])
    found = target_ranks(scores_of([0.9, 0.5, 0.7]), Histories.of([[1]]), ranked=ranked)
    assert (found.ranks.tolist(), found.n_ranked.tolist()) == ([2.0], [2])


def test_scores_are_left_as_they_are():
    scores = scores_of([NAN, 0.5])
    target_ranks(scores, Histories.of([[1]]), masked=masking([[1, 0]]))
    np.testing.assert_array_equal(scores, scores_of([NAN, 0.5]))


def test_masked_target_is_refused():
    with pytest.raises(DataError, match=r"1 of 2 targets take no part.*item row 1.*masked as seen"):
        ranks_of(scores_of([0.9, 0.5, 0.7]), [[0, 1]], masked=masking([[0, 1, 0]]))


def test_target_that_is_not_ranked_is_refused():
    with pytest.raises(DataError, match="take no part in the ranking"):
        ranks_of(scores_of([0.9, 0.5]), [[0]], ranked=np.array([False, True]))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (accuracy.precision, 2 / 4),
        (accuracy.recall, 2 / 3),
        (accuracy.f1, 4 / 7),
        (accuracy.hit_rate, 1.0),
        (
            accuracy.ndcg,
            (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / math.log2(4)),
        ),
        (accuracy.reciprocal_rank, 1 / 2),
        (accuracy.average_precision, (1 / 2 + 2 / 4) / 3),
    ],
)
def test_metric_is_what_a_hand_finds(metric, expected):
    ranks = ranks_at([[2, 4, 7]], n_ranked=10)
    assert metric(ranks, 4).tolist() == pytest.approx([expected], abs=1e-12)


def test_auc_is_what_a_hand_finds():
    ranks = ranks_at([[2, 4]], n_ranked=5)  # - + - + -: 3 of 6 pairs are in order
    assert accuracy.auc(ranks).tolist() == [0.5]


@pytest.mark.parametrize("metric", METRICS_AT_K)
def test_tie_over_the_edge_of_the_list_is_outside(metric):
    assert metric(ranks_at([[10.5]], n_ranked=20), 10).tolist() == [0.0]


@pytest.mark.parametrize("metric", METRICS_AT_K)
def test_user_without_targets_has_no_value(metric):
    ranks = ranks_at([[], [1], []], n_ranked=5)
    np.testing.assert_array_equal(np.isnan(metric(ranks, 3)), [True, False, True])


def test_auc_has_no_value_without_targets_or_without_others():
    ranks = ranks_at([[], [1, 2]], n_ranked=2)
    assert np.isnan(accuracy.auc(ranks)).all()


def test_of_tied_targets_no_more_are_counted_than_there_are_places():
    scores = np.zeros((1, 4), dtype=np.float32)
    ranks = target_ranks(scores, Histories.of([[0, 1, 2, 3]]))
    assert accuracy.precision(ranks, 3).tolist() == [1]
    assert accuracy.recall(ranks, 3).tolist() == [0.75]


@pytest.mark.parametrize("metric", METRICS_AT_K)
@pytest.mark.parametrize("k", [1, 3, 50])
@settings(max_examples=30)
@given(world=rankings())
def test_metric_lies_between_zero_and_one(metric, k, world):
    scores, targets, _, _ = world
    values = metric(target_ranks(scores, Histories.of(targets)), k)
    assert (np.isnan(values) | ((values >= 0) & (values <= 1 + 1e-12))).all()


def test_perfect_list_gets_one_from_all_that_do_not_divide_by_k():
    ranks = ranks_at([[1, 2, 3]], n_ranked=9)
    for metric in (accuracy.recall, accuracy.ndcg, accuracy.average_precision):
        assert metric(ranks, 5).tolist() == pytest.approx([1.0])
    assert accuracy.auc(ranks).tolist() == [1.0]


def test_ideal_list_is_never_longer_than_k():
    ranks = ranks_at([[1, 2, 3, 4]], n_ranked=9)
    assert accuracy.ndcg(ranks, 2).tolist() == pytest.approx([1.0])


def test_equal_targets_alone_at_the_top_have_perfect_precision():
    assert accuracy.average_precision(ranks_at([[1.5, 1.5]], n_ranked=3), 3).tolist() == [1.0]


def test_fewer_relevant_targets_keep_their_ranks():
    kept = ranks_at([[1, 5], [2]], n_ranked=9).where(np.array([False, True, False]))
    assert (kept.ranks.tolist(), kept.counts.tolist()) == ([5.0], [1, 0])


def test_batches_behind_each_other_equal_one_batch():
    whole = ranks_at([[1, 5], [], [2.5]], n_ranked=9)
    parts = [ranks_at([[1, 5], []], n_ranked=9), ranks_at([[2.5]], n_ranked=9)]
    joined = TargetRanks.concatenated(parts)
    np.testing.assert_array_equal(joined.ranks, whole.ranks)
    np.testing.assert_array_equal(joined.offsets, whole.offsets)


@pytest.fixture(scope="module")
def without_ties():
    rng = np.random.default_rng(3)
    scores = rng.permuted(np.tile(np.arange(200, dtype=np.float32), (50, 1)), axis=1)
    targets = [rng.choice(200, rng.integers(1, 20), replace=False).tolist() for _ in range(50)]
    return scores, targets, Histories.of(targets).matrix(200).toarray()


@pytest.mark.parametrize("k", [1, 10, 200])
def test_ndcg_equals_scikit_learn(without_ties, k):
    scores, targets, relevant = without_ties
    ours = accuracy.ndcg(target_ranks(scores, Histories.of(targets)), k)
    theirs = [ndcg_score([r], [s], k=k) for r, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_average_precision_of_the_whole_list_equals_scikit_learn(without_ties):
    scores, targets, relevant = without_ties
    ours = accuracy.average_precision(target_ranks(scores, Histories.of(targets)), 200)
    theirs = [average_precision_score(r, s) for r, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_auc_equals_scikit_learn_also_with_ties(without_ties):
    scores, targets, relevant = without_ties
    tied = scores // 7
    ours = accuracy.auc(target_ranks(tied, Histories.of(targets)))
    theirs = [roc_auc_score(r, s) for r, s in zip(relevant, tied, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def slow_metrics(relevant: list[bool], k: int) -> list[float]:
    """Walk down the list, in the order of METRICS_AT_K."""
    n = sum(relevant)
    hits, gain, precisions, first = 0, 0.0, 0.0, 0.0
    for place, is_relevant in enumerate(relevant[:k], start=1):
        if is_relevant:
            hits += 1
            gain += 1 / math.log2(1 + place)
            precisions += hits / place
            first = first if first else 1 / place
    ideal = sum(1 / math.log2(1 + place) for place in range(1, min(k, n) + 1))
    p, r = hits / k, hits / n
    f1 = 2 * p * r / (p + r) if hits else 0.0
    return [p, r, f1, float(hits > 0), gain / ideal, first, precisions / min(k, n)]


@given(st.lists(st.booleans(), min_size=1, max_size=25).filter(any), st.integers(1, 30))
def test_metrics_equal_a_slow_walk_down_the_list(relevant, k):
    places = [place for place, is_relevant in enumerate(relevant, start=1) if is_relevant]
    ranks = ranks_at([places[::-1]], n_ranked=len(relevant))
    ours = [metric(ranks, k)[0] for metric in METRICS_AT_K]
    assert ours == pytest.approx(slow_metrics(relevant, k), abs=1e-12)
