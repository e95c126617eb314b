from __future__ import annotations

import numpy as np
import polars as pl

from longtale.arrays import DAY
from longtale.data.catalog import Catalog, TextField
from longtale.data.synthetic import START, dataset_of
from longtale.data.vocabulary import Vocabulary
from longtale.rank.evidence import NEVER, ItemEvidence
from longtale.schema import Role


def told(**columns: list) -> ItemEvidence:
    n = len(next(iter(columns.values())))
    fields = [TextField(c, Role.CATEGORY) for c in columns if c == "genres"]
    ids = Vocabulary.of([f"i{row}" for row in range(n)], noun="item")
    catalog = Catalog(ids, pl.DataFrame(columns), tuple(fields))
    world = dataset_of([[0]], n_items=n)
    return ItemEvidence.of(
        type(world)(**{**vars(world), "catalog": catalog}), np.zeros((n, 2), dtype=np.float32)
    )


def test_counts_and_first_moments_are_those_of_the_events():
    days = [[0, 380], [399, 400]]
    times = [[START + d * DAY for d in row] for row in days]
    dataset = dataset_of([[0, 1], [1, 1]], times=times, n_items=3)
    evidence = ItemEvidence.of(dataset, np.eye(3, dtype=np.float32))
    assert evidence.counts.tolist() == [1, 3, 0]
    assert evidence.recent.tolist() == [[0, 2, 0], [0, 3, 0]]
    assert evidence.first_seen.tolist() == [START, START + 380 * DAY, NEVER]
    assert evidence.now == START + 400 * DAY
    assert evidence.is_new.tolist() == [False, False, True]


def test_without_times_nothing_is_said_of_them():
    evidence = told(genres=["a", "a"])
    assert evidence.recent is None
    assert evidence.first_seen is None


def test_list_cells_become_codes_of_what_items_share():
    codes = told(genres=["Drama|War", "War | Drama", "War|Lonely", None, "", "Drama"]).groups
    drama, war = codes["genres"][0]
    assert drama != war
    assert set(codes["genres"][1]) == {drama, war}
    assert codes["genres"][2].tolist() == [war, -1]
    assert (codes["genres"][3:5] == -1).all()
    assert codes["genres"][5].tolist() == [drama, -1]


def test_a_column_that_groups_nothing_is_left_out():
    assert not told(genres=["a", "b", None]).groups


def test_numbers_are_measures_not_keys():
    evidence = told(year=[1990, None], film_id=[7, 8], hidden=[0, 1], empty=[None, None])
    assert list(evidence.numbers) == ["year"]
    np.testing.assert_array_equal(evidence.numbers["year"], [1990, np.nan])


def test_a_number_that_never_varies_has_no_spread():
    assert np.isnan(told(year=[1990, 1990]).spreads["year"])


def test_a_comma_in_few_names_parts_no_list():
    names = ["Parts Co., Inc."] * 2 + ["Stanley", "Acme"] * 6
    codes = told(genres=names).groups["genres"]
    assert codes.shape == (14, 1)
    assert codes[0] == codes[1] != codes[2]


def test_the_separator_of_most_cells_parts_them():
    codes = told(genres=["a,b", "b,a", "c|a,b"]).groups["genres"]
    assert (codes[:2] >= 0).all()


def test_approval_is_the_share_of_likes_drawn_to_the_mean():
    dataset = dataset_of([[0], [0], [1]], dismissed=[[1], [1], [1]], n_items=3)
    evidence = ItemEvidence.of(dataset, np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(evidence.approval, [(2 + 5) / 12, (1 + 5) / 14, 0.5], rtol=1e-6)


def test_without_dismissals_there_is_no_approval():
    assert ItemEvidence.of(dataset_of([[0]]), np.eye(1, dtype=np.float32)).approval is None
