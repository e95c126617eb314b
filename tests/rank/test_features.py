from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.rank.worlds import N_ITEMS, evidence_of, queries_of, scored_of, world

from longtale.data.interactions import Histories
from longtale.rank.features import FeatureTable, Scored, features, is_monotone

N = 12


@pytest.fixture(scope="module")
def dataset():
    return world()


@pytest.fixture(scope="module")
def evidence(dataset):
    return evidence_of(dataset)


@pytest.fixture(scope="module")
def queries(dataset):
    return queries_of(dataset, N)


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(1)
    rows = np.stack([rng.permutation(N_ITEMS)[:30] for _ in range(N)]).astype(np.int32)
    rows[3, 20:] = -1
    return rows


@pytest.fixture(scope="module")
def table(queries, items, evidence) -> FeatureTable:
    return features(queries, items, scored_of(N), evidence)


def column(table: FeatureTable, name: str):
    return table.values[:, :, table.names.index(name)]


def test_what_many_get_is_what_each_gets_alone(table, queries, items, evidence):
    """What training saw in batches is what answering sees one by one."""
    scored = scored_of(N)
    for row in range(N):
        one = np.array([row])
        own = Scored(scored.sources, scored.scores[:, one], scored.blended[one])
        alone = features(queries.take(one), items[one], own, evidence)
        assert alone.names == table.names
        np.testing.assert_allclose(alone.values[0], table.values[row], rtol=1e-4, atol=1e-6)


def test_names_are_unique_and_values_float32(table):
    assert len(set(table.names)) == len(table.names) == table.values.shape[2]
    assert table.values.dtype == np.float32


def test_padding_is_unknown_and_changes_nothing_else(table, queries, items, evidence):
    assert np.isnan(table.values[3, 20:]).all()
    cut = features(queries, items[:, :20], scored_of(N), evidence)
    np.testing.assert_array_equal(cut.values[3], table.values[3, :20])


def test_scores_are_standardised_over_the_catalogue(table, items):
    scores = scored_of(N).scores[1]
    for row in range(N):
        known = scores[row][~np.isnan(scores[row])]
        expected = (scores[row, items[row]] - known.mean()) / known.std()
        expected[items[row] < 0] = np.nan
        np.testing.assert_allclose(column(table, "z second")[row], expected, rtol=1e-4, atol=1e-5)


def test_ranks_count_the_candidates_that_are_better(table):
    z = column(table, "z second")
    for row in range(N):
        for place in range(z.shape[1]):
            if np.isnan(z[row, place]):
                assert np.isnan(column(table, "rank second")[row, place])
                continue
            better = sum(other > z[row, place] for other in z[row])
            assert column(table, "rank second")[row, place] == pytest.approx(-np.log1p(better))


def test_the_best_candidate_has_no_margin(table):
    best = np.nanargmax(column(table, "z first"), axis=1)
    assert (column(table, "margin first")[np.arange(N), best] == 0).all()
    assert np.nanmin(column(table, "margin first")) == 0


def test_a_source_that_says_nothing_gives_unknown(queries, items, evidence):
    scored = scored_of(N)
    silent = scored.scores.copy()
    silent[0] = np.nan
    found = features(queries, items, replace(scored, scores=silent), evidence)
    assert np.isnan(column(found, "z first")).all()
    assert np.isnan(column(found, "margin first")).all()


def test_equal_scores_are_the_mean(queries, items, evidence):
    scored = scored_of(N)
    flat = np.ones_like(scored.scores)
    found = features(queries, items, replace(scored, scores=flat), evidence)
    assert (column(found, "z first")[items >= 0] == 0).all()


def test_a_blended_score_of_minus_infinity_is_unknown(queries, items, evidence):
    scored = scored_of(N)
    blended = scored.blended.copy()
    blended[:, items[0, 0]] = -np.inf
    found = features(queries, items, replace(scored, blended=blended), evidence)
    assert np.isnan(column(found, "z blend")[0, 0])
    assert np.isfinite(column(found, "z blend")[0, 1:]).all()


def test_popularity_and_its_gap_follow_the_counts(table, dataset, queries, items):
    counts = np.log1p(dataset.item_counts)
    own = dataset.histories(queries.user_rows[[4]]).items
    np.testing.assert_allclose(column(table, "log count")[4], counts[items[4]], rtol=1e-5)
    np.testing.assert_allclose(
        column(table, "popularity gap")[4],
        counts[items[4]] - counts[own].mean(),
        rtol=1e-4,
        atol=1e-5,
    )
    assert column(table, "deviation popularity")[4, 0] == pytest.approx(counts[own].std(), rel=1e-4)


def test_ages_are_days_since_the_first_event(table, evidence, queries, items):
    item = next(i for i in items[2] if not evidence.is_new[i])
    place = int(np.flatnonzero(items[2] == item)[0])
    days = (queries.times[2] - evidence.first_seen[item]) / 86_400_000_000
    assert column(table, "log age days")[2, place] == pytest.approx(np.log1p(days), rel=1e-5)
    new = evidence.is_new[items] & (items >= 0)
    assert np.isnan(column(table, "log age days")[new]).all()


def test_words_are_compared_with_the_last_ten_events(table, evidence, queries, items):
    for row in range(N):
        start, end = queries.histories.offsets[row : row + 2]
        history = [i for i in queries.histories.items[start:end][-10:] if i != 5]
        for place in (0, 7):
            item = items[row, place]
            if item == 5 or not history:
                assert np.isnan(column(table, "best cosine")[row, place])
                continue
            cosines = [float(evidence.vectors[item] @ evidence.vectors[h]) for h in history]
            for name, value in (
                ("best", max(cosines)),
                ("mean", sum(cosines) / len(cosines)),
                ("last", cosines[-1]),
            ):
                assert column(table, f"{name} cosine")[row, place] == pytest.approx(value, abs=1e-5)


def test_groups_count_events_of_the_same_genre(table, dataset, queries, items):
    genres = dataset.catalog.frame["genres"].to_list()
    own = [genres[i] for i in dataset.histories(queries.user_rows[[5]]).items]
    for place in range(10):
        genre = genres[items[5, place]]
        assert column(table, "same genres")[5, place] == own.count(genre)
        assert column(table, "last genres")[5, place] == (own[-1] == genre)
        assert column(table, "share genres")[5, place] == pytest.approx(own.count(genre) / len(own))


def test_approval_is_that_of_the_item_and_of_the_history(queries, items, evidence):
    approval = np.linspace(0, 1, N_ITEMS, dtype=np.float32)
    table = features(queries, items, scored_of(N), replace(evidence, approval=approval))
    own = queries.histories.take(np.array([4])).items
    np.testing.assert_allclose(column(table, "approval")[4], approval[items[4]])
    assert column(table, "mean approval")[4, 0] == pytest.approx(approval[own].mean(), rel=1e-5)


def test_numbers_are_measured_from_the_history(table, dataset, queries, items):
    years = dataset.catalog.frame["year"].to_numpy()
    own = years[dataset.histories(queries.user_rows[[6]]).items]
    expected = (years[items[6]] - own.mean()) / years.std()
    np.testing.assert_allclose(column(table, "above year")[6], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(column(table, "away year"), np.abs(column(table, "above year")))


def test_who_has_no_history_is_unknown_not_average(table):
    for name in ("mean popularity", "best cosine", "same genres", "above year", "log days idle"):
        assert np.isnan(column(table, name)[0]).all(), name
    assert (column(table, "log history")[0] == 0).all()


def test_each_feature_is_known_somewhere(table):
    for name in table.names:
        assert not np.isnan(column(table, name)).all(), name


def test_without_times_there_is_no_age_nor_idleness(queries, items, evidence):
    plain = Histories(queries.histories.offsets, queries.histories.items, queries.histories.weights)
    timeless = replace(evidence, recent=None, first_seen=None)
    asked = replace(queries, histories=plain, times=None)
    names = features(asked, items, scored_of(N), timeless).names
    assert not {"log age days", "trend", "log days idle"} & set(names)


def test_only_scores_and_their_ranks_are_monotone():
    assert is_monotone("z als")
    assert is_monotone("rank blend")
    assert not is_monotone("log count")
    assert not is_monotone("margin als")
