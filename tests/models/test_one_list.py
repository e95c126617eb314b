from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.data.interactions import Histories
from longtale.data.synthetic import generated
from longtale.errors import DataError
from longtale.models.one_list import (
    ListExample,
    OneList,
    OneListSettings,
    evidence_buckets,
    simulated_cold,
)
from longtale.seeds import generator

N_USERS, N_ITEMS, N_NEW = 600, 60, 12
COUNTS = np.array([0] * N_NEW + [30] * 24 + [200] * 24)


def example(*, seed=0, new_scale=1.0) -> ListExample:
    """Users want items with odds that grow with a hidden taste; both models see it, on own scales.

    Known items are wanted more often at the same taste; the scores of new ones are small.
    """
    rng = generator(seed, "one list")
    taste = rng.normal(size=(N_USERS, N_ITEMS))
    wish = 2 * taste + np.where(COUNTS == 0, -1.5, 0) + rng.gumbel(size=taste.shape)
    targets = Histories.of([[item] for item in wish.argmax(axis=1).tolist()])
    warm = (5 + 3 * taste).astype(np.float32)
    warm[:, COUNTS == 0] = np.nan
    cold = (new_scale * taste).astype(np.float32)
    return ListExample(warm, cold, targets, np.zeros(taste.shape, dtype=np.bool_))


def ndcg(scores, each, *, new):
    target = each.targets.items
    own = scores[np.arange(N_USERS), target]
    ranks = 1 + (scores > own[:, None]).sum(axis=1)
    gains = np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0)
    return gains[(COUNTS[target] == 0) == new].mean()


def test_odds_tell_how_often_an_item_is_wanted():
    teaching, asked = example(), example(seed=1)
    model = OneList.fit([teaching], COUNTS, OneListSettings(max_loss=1))
    odds = model.odds(asked.warm, asked.cold, COUNTS)
    chances = 1 / (1 + np.exp(-odds))
    wanted = asked.targets.matrix(N_ITEMS).toarray() > 0
    for bucket in (0, 3, 4):
        own = evidence_buckets(COUNTS) == bucket
        for low, high in ((-2, -1), (0, 1), (1, 3)):
            z = asked.cold[:, own]
            chosen = (z > low) & (z < high)
            expected, seen = chances[:, own][chosen].sum(), wanted[:, own][chosen].sum()
            assert abs(expected - seen) < 4 * np.sqrt(expected + 1) + 0.25 * seen


def test_scale_of_the_cold_scores_does_not_matter():
    usual = OneList.fit([example()], COUNTS, OneListSettings())
    scaled = OneList.fit([example(new_scale=100)], COUNTS, OneListSettings())
    np.testing.assert_allclose(scaled.offsets, usual.offsets, atol=1e-3)
    np.testing.assert_allclose(scaled.slopes, usual.slopes, atol=1e-3)


def test_new_items_that_drowned_are_found_and_known_ones_lose_no_more_than_allowed():
    each = example(new_scale=0.01)
    raw = np.where(COUNTS == 0, each.cold, each.warm)
    strict = OneList.fit([each], COUNTS, OneListSettings(max_loss=0.02))
    odds = strict.odds(each.warm, each.cold, COUNTS)
    assert ndcg(odds, each, new=True) > 3 * ndcg(raw, each, new=True)
    alone = np.where(COUNTS == 0, -np.inf, each.warm)
    assert ndcg(odds, each, new=False) >= 0.98 * ndcg(alone, each, new=False)


def test_new_items_step_back_further_where_less_may_be_lost():
    offsets = [
        OneList.fit([example()], COUNTS, OneListSettings(max_loss=loss)).offsets
        for loss in (0.0, 0.01, 1.0)
    ]
    assert offsets[0][0] < offsets[1][0] < offsets[2][0]
    np.testing.assert_array_equal(offsets[0][1:], offsets[2][1:])


def test_bucket_without_items_has_the_odds_of_all_known_items():
    model = OneList.fit([example()], COUNTS, OneListSettings(max_loss=1))
    assert model.slopes[1] == model.slopes[2]
    assert model.offsets[1] == model.offsets[2]


def test_batches_teach_as_one():
    whole = example()
    halves = [
        ListExample(
            whole.warm[rows],
            whole.cold[rows],
            whole.targets.take(np.arange(N_USERS)[rows]),
            whole.masked[rows],
        )
        for rows in (slice(0, 250), slice(250, None))
    ]
    one = OneList.fit([whole], COUNTS, OneListSettings())
    two = OneList.fit(halves, COUNTS, OneListSettings())
    np.testing.assert_array_equal(one.offsets, two.offsets)


def test_masked_items_teach_nothing():
    each = example()
    masked = replace(each, masked=each.masked | (np.arange(N_ITEMS) == N_ITEMS - 1))
    wild = replace(masked, warm=masked.warm.copy())
    wild.warm[:, -1] = each.warm[:, -2]  # as likely a score as any
    same = OneList.fit([masked], COUNTS, OneListSettings())
    assert not np.isnan(same.offsets).any()
    usual = OneList.fit([each], COUNTS, OneListSettings())
    assert same.offsets[4] != usual.offsets[4]


def test_item_that_no_model_can_score_stays_without_odds():
    each = example()
    each.cold[:, 0] = np.nan
    odds = OneList.fit([each], COUNTS, OneListSettings()).odds(each.warm, each.cold, COUNTS)
    assert np.isnan(odds[:, 0]).all()
    assert not np.isnan(odds[:, 1:]).any()


def test_restored_answers_the_same():
    each = example()
    model = OneList.fit([each], COUNTS, OneListSettings())
    again = OneList.restore(model.settings, model.state())
    np.testing.assert_array_equal(
        again.odds(each.warm, each.cold, COUNTS), model.odds(each.warm, each.cold, COUNTS)
    )


def test_without_a_known_target_nothing_can_be_learned():
    each = example()
    nobody = replace(each, targets=Histories.of([[0]] * N_USERS))
    with pytest.raises(DataError, match="at least one request"):
        OneList.fit([nobody], COUNTS, OneListSettings())


def test_simulated_cold_items_leave_no_event_and_are_targets_by_chance():
    dataset = generated(generator(0, "fold"), 80, 40, 900)
    fold = simulated_cold(dataset, share=0.2, n_users=50, rng=generator(0, "cold"))
    hidden = (dataset.item_counts > 0) & (fold.train.item_counts == 0)
    assert hidden.sum() >= round(0.2 * np.count_nonzero(dataset.item_counts))
    assert len(fold) <= 50
    is_cold = hidden[fold.targets.items]
    assert 0 < is_cold.sum() < len(is_cold)
    np.testing.assert_array_equal(fold.ranked, dataset.item_counts > 0)
