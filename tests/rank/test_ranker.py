from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.rank.worlds import N_ITEMS, evidence_of, lesson, world

from longtale.errors import DataError
from longtale.rank.examples import Examples, PoolSettings, pooled
from longtale.rank.features import FeatureTable, features, is_monotone
from longtale.rank.lambdamart import RankerSettings
from longtale.rank.order import Difference
from longtale.rank.ranker import Ranker, exchanged

lightgbm = pytest.importorskip("lightgbm")

SETTINGS = RankerSettings(
    pool=PoolSettings(depth=20, n_new=3),
    trees=30,
    min_rows=20,
    learning_rate=0.2,
    patience=10,
    min_requests=50,
)


@pytest.fixture(scope="module")
def evidence():
    return evidence_of(world())


@pytest.fixture(scope="module")
def examples(evidence) -> Examples:
    return Examples.of([lesson(400)], evidence, SETTINGS.pool)


@pytest.fixture(scope="module")
def ranker(examples) -> Ranker:
    return Ranker.fit(examples, SETTINGS)


@pytest.fixture(scope="module")
def asked():
    return lesson(30, seed=1)


@pytest.fixture(scope="module")
def table(asked, evidence) -> FeatureTable:
    items = pooled(asked.scored, asked.masked, evidence.is_new, SETTINGS.pool)
    return features(asked.queries, items, asked.scored, evidence)


def test_trees_that_know_whom_to_trust_are_accepted(ranker):
    assert ranker.is_accepted
    assert 0 < ranker.judged.low < ranker.judged.mean < ranker.judged.high


def test_an_accepted_ranker_finds_more_than_the_blend(ranker, asked, evidence):
    changed = ranker.reranked(asked.queries, asked.scored, evidence, masked=asked.masked)
    targets = asked.targets.items[:, None]

    def mean_place(scores):
        own = np.take_along_axis(scores, targets, axis=1)
        return (scores > own).sum(axis=1).mean()

    assert mean_place(changed) < mean_place(asked.scored.blended)


def test_the_blends_factor_is_the_one_that_made_the_choices(rng):
    """Targets drawn by the softmax of 0.7 z over each request's candidates."""
    z = np.sort(rng.normal(size=(3000, 20)), axis=1)[:, ::-1]
    shares = np.exp(0.7 * z).cumsum(axis=1)
    drawn = (rng.random((3000, 1)) * shares[:, -1:] > shares).sum(axis=1)
    is_target = np.zeros(z.shape, dtype=np.bool_)
    is_target[np.arange(3000), drawn] = True
    examples = Examples(
        ("z blend",),
        z.reshape(-1, 1).astype(np.float32),
        is_target.ravel(),
        np.arange(0, 60_001, 20),
        np.ones(3000, dtype=np.int64),
        np.arange(3000, dtype=np.int32),
    )
    ranker = Ranker.fit(examples, SETTINGS.model_copy(update={"trees": 1, "folds": 3}))
    assert ranker.factor == pytest.approx(0.7, rel=0.1)


def test_where_there_is_nothing_to_learn_the_blend_stands(evidence, asked):
    aimless = Examples.of([lesson(300, telling=0.0)], evidence, SETTINGS.pool)
    ranker = Ranker.fit(aimless, SETTINGS)
    assert not ranker.is_accepted
    same = ranker.reranked(asked.queries, asked.scored, evidence, masked=asked.masked)
    np.testing.assert_array_equal(same, asked.scored.blended)


def test_requests_whose_target_is_no_candidate_count_in_the_mean(examples, ranker):
    diluted = Ranker.fit(replace(examples, n_dropped=examples.n_dropped + 5000), SETTINGS)
    assert diluted.judged.n == ranker.judged.n + 5000
    assert diluted.judged.mean == pytest.approx(
        ranker.judged.mean * ranker.judged.n / diluted.judged.n
    )


def test_who_asks_often_is_one_witness(examples):
    """The same lists, asked five times each by one user, must not look like five times as many."""
    often = examples.where(np.arange(len(examples)) >= 0)
    users = np.arange(len(often), dtype=np.int32) // 5
    ranker = Ranker.fit(replace(often, users=users, n_dropped=0), SETTINGS)
    assert ranker.judged.n == len(np.unique(users))


def test_too_few_requests_give_no_trees(examples, table, evidence):
    few = examples.where(np.arange(len(examples)) < 10)
    ranker = Ranker.fit(few, SETTINGS)
    assert not ranker.is_accepted
    with pytest.raises(DataError, match="no trees"):
        ranker.score(table)


def test_same_seed_gives_same_trees(examples, ranker):
    again = Ranker.fit(examples, SETTINGS)
    assert again.model == ranker.model
    assert again.judged == ranker.judged


def test_restored_answers_bit_equal(ranker, table):
    restored = Ranker.restore(ranker.settings, ranker.state())
    assert restored.judged == ranker.judged
    np.testing.assert_array_equal(restored.score(table), ranker.score(table))


def test_an_empty_ranker_is_restored_too(examples):
    ranker = Ranker.fit(examples.where(np.arange(len(examples)) < 10), SETTINGS)
    restored = Ranker.restore(SETTINGS, ranker.state())
    assert restored.names == ranker.names
    assert not restored.is_accepted


def test_state_is_arrays_that_a_bundle_can_hold(ranker):
    for name, array in ranker.state().items():
        assert isinstance(array, np.ndarray), name
        assert array.flags.c_contiguous, name
        assert array.dtype.kind in "fiub", name


def test_batch_equals_singles(ranker, table):
    together = ranker.score(table)
    for row in range(len(together)):
        alone = ranker.score(FeatureTable(table.names, table.values[[row]]))
        np.testing.assert_array_equal(alone[0], together[row])


def test_padding_gets_no_score_and_changes_no_order(ranker, table):
    values = np.full((30, table.values.shape[1] + 4, len(table.names)), np.nan, dtype=np.float32)
    values[:, :-4] = table.values
    padded = FeatureTable(table.names, values)
    assert np.isnan(ranker.score(padded)[:, -4:]).all()
    np.testing.assert_array_equal(ranker.score(padded)[:, :-4], ranker.score(table))


def test_more_of_a_sources_score_never_lowers_a_candidate(ranker, table):
    before = ranker.score(table)
    for column, name in enumerate(table.names):
        if not is_monotone(name):
            continue
        values = table.values.copy()
        values[..., column] += 1
        after = ranker.score(FeatureTable(table.names, values))
        known = ~np.isnan(before)
        assert (after[known] >= before[known] - 1e-5).all(), name


def test_contributions_add_up_to_the_score(ranker, table):
    shares = ranker.contributions(table)
    assert shares.shape == (*table.values.shape[:2], len(table.names) + 1)
    real = ~np.isnan(ranker.score(table))
    np.testing.assert_allclose(shares.sum(axis=-1)[real], ranker.score(table)[real], atol=1e-4)


def test_other_features_than_learned_are_refused(ranker, table):
    renamed = FeatureTable(("z third", *table.names[1:]), table.values)
    with pytest.raises(DataError, match="z third"):
        ranker.score(renamed)


def test_candidates_exchange_scores_and_others_keep_theirs():
    blended = np.array([[5, 4, 3, 2, 1]], dtype=np.float32)
    items = np.array([[0, 2, 4, -1]], dtype=np.int32)
    wanted = np.array([[1, 2, 3, np.nan]], dtype=np.float32)
    assert exchanged(blended, items, wanted).tolist() == [[1, 4, 3, 2, 5]]
    assert blended[0, 0] == 5


def test_masked_items_keep_their_scores(ranker, asked, evidence):
    masked = np.random.default_rng(0).random((30, N_ITEMS)) < 0.5
    changed = ranker.reranked(asked.queries, asked.scored, evidence, masked=masked)
    np.testing.assert_array_equal(changed[masked], asked.scored.blended[masked])


@pytest.mark.parametrize(
    "change",
    [
        {"trees": 3},
        {"learning_rate": 0.05},
        {"leaves": 3},
        {"min_rows": 80},
        {"l2": 50.0},
        {"feature_share": 0.3},
        {"truncation": 3},
        {"patience": 1},
        {"folds": 5},
        {"cutoff": 3},
        {"min_requests": 10_000},
        {"seed": 1},
    ],
)
def test_each_setting_changes_something(examples, ranker, change):
    other = Ranker.fit(examples, SETTINGS.model_copy(update=change))
    assert (other.model, other.judged) != (ranker.model, ranker.judged)


def test_the_pool_is_what_is_reranked(ranker, asked, evidence):
    narrow = SETTINGS.model_copy(update={"pool": PoolSettings(depth=1, n_new=0)})
    accepted = replace(ranker, judged=Difference(1.0, 1.0, 1.0, 9))
    usual = accepted.reranked(asked.queries, asked.scored, evidence, masked=asked.masked)
    few = replace(accepted, settings=narrow)
    changed = few.reranked(asked.queries, asked.scored, evidence, masked=asked.masked)
    assert (changed != asked.scored.blended).sum() < (usual != asked.scored.blended).sum()
