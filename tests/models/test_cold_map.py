from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from longtale.arrays import unit_rows
from longtale.data.query import Queries
from longtale.data.synthetic import cold_twin, dataset_of, generated, two_tribes
from longtale.data.vocabulary import Vocabulary
from longtale.errors import DataError
from longtale.models.als import ALS, ALSSettings
from longtale.models.attributes import Attributes
from longtale.models.cold_map import ColdMap, ColdMapSettings
from longtale.seeds import generator

TEACHER = ALSSettings(factors=6, iterations=3, half_life=None)


@pytest.fixture(scope="module")
def dataset():
    return generated(generator(0, "cold map"), 60, 30, 500)


@pytest.fixture(scope="module")
def vectors(dataset):
    return unit_rows(generator(0, "vectors").normal(size=(30, 5)).astype(np.float32))


def settings_of(**changes) -> ColdMapSettings:
    return ColdMapSettings(teacher=TEACHER, **changes)


def test_places_equal_weighted_ridge_on_features(dataset, vectors):
    settings = settings_of(l2=0.7, trust=4, attributes=0.3, rounds=0)
    model = ColdMap.fit(dataset, settings, vectors)
    rows = Attributes.fit(dataset.catalog).rows(dataset.catalog).toarray()
    features = np.hstack([vectors, np.sqrt(0.3) * rows]).astype(float)
    counts = dataset.item_counts
    met = counts > 0
    factors = ALS.fit(dataset, TEACHER).item_factors
    goals = np.column_stack([factors, np.log1p(counts)])[met]
    weights = counts[met] / (counts[met] + 4)
    weighted = features[met] * weights[:, None]
    left = weighted.T @ features[met] + 0.7 * np.eye(features.shape[1])
    solved = np.linalg.solve(left, weighted.T @ (goals - goals.mean(axis=0)))
    expected = goals.mean(axis=0) + features @ solved
    np.testing.assert_allclose(model.told, expected, rtol=1e-3, atol=1e-4)


def test_column_that_tells_nothing_fades():
    world = two_tribes(generator(0, "tribes"), n_users=200, n_items=60, loyalty=0.98)
    dice = generator(0, "dice")
    tribe = ["space" if row < 30 else "cooking" for row in range(60)]
    noise = dice.permutation([f"n{row % 2}" for row in range(60)]).tolist()
    world = replace(world, catalog=with_columns(world, noise=noise, tribe=tribe))
    model = ColdMap.fit(world, settings_of(rounds=4), np.zeros((60, 2), dtype=np.float32))
    own = {
        column: np.linalg.norm(model.attribute_weights[model.attributes.columns == column])
        for column in (0, 1)
    }
    assert own[0] < 0.05 * own[1]


def test_score_is_fit_to_the_asker_and_looks_of_popularity(dataset, vectors):
    model = ColdMap.fit(dataset, settings_of(popularity=0.5), vectors)
    queries = Queries.of([[1, 2, 3]])
    teacher = ALS.fit(dataset, TEACHER)
    liked = queries.histories.matrix(30)
    fits = model.told[:, :-1] @ teacher.user_factors(liked)[0]
    looks = model.told[:, -1]
    expected = (fits - fits.mean()) / fits.std() + 0.5 * (looks - looks.mean()) / looks.std()
    np.testing.assert_allclose(model.scores(queries)[0], expected, rtol=1e-3, atol=1e-3)


def test_twin_that_nobody_met_is_liked_by_those_who_like_its_like():
    world = cold_twin(generator(0, "twin"))
    words = sorted({word for title in world.catalog.titles() for word in title.split()})
    vectors = unit_rows(
        np.array(
            [[word in title.split() for word in words] for title in world.catalog.titles()],
            dtype=np.float32,
        )
    )
    model = ColdMap.fit(world, settings_of(popularity=0), vectors)
    users = np.array([1, 39])
    scores = model.scores(Queries(users.astype(np.int32), world.histories(users)))
    assert scores[0, -1] > scores[0, 15]
    assert scores[1, -1] < scores[1, 15]
    np.testing.assert_allclose(scores[:, -1], scores[:, 0], rtol=1e-4)


def test_item_added_later_stands_where_its_twin_stands(dataset, vectors):
    model = ColdMap.fit(dataset, settings_of(), vectors)
    grown = np.vstack([vectors, vectors[4]])
    twin = replace(dataset.catalog.take([4]), items=Vocabulary.of(["twin"], noun="item"))
    catalog = dataset.catalog.extended(twin)
    placed = model.with_vectors(grown, catalog)
    np.testing.assert_allclose(placed.told[30], model.told[4], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(placed.told[:30], model.told)
    by_text_alone = model.with_vectors(grown)
    assert not np.allclose(by_text_alone.told[30], model.told[4])


def test_item_of_which_nothing_is_said_has_no_score(vectors):
    world = dataset_of([[0, 1], [1, 2]], n_items=4)
    vectors = vectors[:4].copy()
    vectors[3] = 0
    scores = ColdMap.fit(world, settings_of(), vectors).scores(Queries.of([[0, 1]]))
    assert np.isnan(scores[0]).tolist() == [False, False, False, True]


def test_attributes_alone_place_an_item(dataset):
    model = ColdMap.fit(dataset, settings_of(), np.zeros((30, 5), dtype=np.float32))
    assert not np.isnan(model.scores(Queries.of([[0]]))).any()


def test_one_vector_for_each_item_is_demanded(dataset, vectors):
    with pytest.raises(DataError, match="5 vectors for 30 items"):
        ColdMap.fit(dataset, settings_of(), vectors[:5])


def with_columns(dataset, **columns):
    frame = pl.DataFrame(columns)
    return replace(dataset.catalog, frame=frame, text_fields=())


def alike(catalog):
    rows = Attributes.fit(catalog).rows(catalog).toarray()
    return rows @ rows.T


def test_items_of_one_director_are_alike_and_rare_values_say_more(dataset):
    makers = ["Ann Lee|Bo Ek", "Ann Lee|Cy Ott", "Bo Ek|Cy Ott", *["Cy Ott"] * 27]
    rows = alike(with_columns(dataset, maker=makers))
    assert rows[0, 1] > rows[1, 3] > rows[0, 3]


def test_prose_is_read_word_by_word(dataset):
    plots = ["a whale hunts a sailor", "the sailor and his whale", *["war breaks out again"] * 28]
    rows = alike(with_columns(dataset, plot=plots))
    assert rows[0, 1] > rows[0, 2]


def test_near_years_are_more_alike_than_far_ones(dataset):
    rows = alike(with_columns(dataset, year=list(range(1960, 1990))))
    assert rows[0, 1] > rows[0, 4] >= rows[0, 9] == 0


def test_each_column_counts_alike_however_many_values_it_has(dataset):
    genres = ["drama|comedy|crime"] * 15 + ["war"] * 15
    catalog = with_columns(dataset, genres=genres, year=[1990, 1995] * 15)
    lengths = np.diag(alike(catalog))
    np.testing.assert_allclose(lengths, [3.0] * 30, rtol=1e-5)  # values, their length, year


def test_users_tags_and_dates_of_being_had_are_not_read(dataset):
    plain = dataset.catalog
    tagged = replace(plain, frame=plain.frame.with_columns(hidden=pl.lit(value=True)))
    np.testing.assert_array_equal(alike(plain), alike(tagged))


def test_columns_and_values_that_came_later_are_passed_over(dataset):
    known = Attributes.fit(dataset.catalog)
    frame = pl.DataFrame({"title": ["unheard zzyzx"], "colour": ["red"]})
    later = replace(dataset.catalog.take([0]), frame=frame, text_fields=())
    rows = known.rows(later).toarray()
    assert rows.shape == (1, len(known.tokens))
    np.testing.assert_allclose((rows**2).sum(), 1, rtol=1e-5)  # only the title's length is known
