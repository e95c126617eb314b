from __future__ import annotations

from dataclasses import replace

import polars as pl

from longtale.data.catalog import Catalog, TextField
from longtale.data.interactions import Histories
from longtale.data.synthetic import dataset_of
from longtale.data.tastes import taste_sentences
from longtale.schema import Role

GENRES = ["Drama|War", "Drama", "Drama|Crime", "Comedy", None, "Comedy|Drama", "Western"]


def said(histories: list[list[int]], everybody: list[list[int]], role: Role = Role.CATEGORY):
    dataset = dataset_of(everybody, n_items=len(GENRES))
    frame = pl.DataFrame({"genres": GENRES})
    catalog = Catalog(dataset.items, frame, (TextField("genres", role),))
    dataset = replace(dataset, catalog=catalog)
    return taste_sentences(dataset, Histories.of(histories))


def test_what_is_chosen_more_often_than_others_do_is_named_first():
    everybody = [[0, 1, 2], [1, 2, 5], [3, 1]]
    assert said([[3, 5]], everybody) == ["I like comedy"]
    assert said([[1, 2]], everybody) == ["I like drama"]


def test_values_that_one_item_has_are_no_taste():
    assert said([[6]], [[0, 6], [1, 3]]) == [""]


def test_who_shows_nothing_says_nothing():
    assert said([[], [4]], [[0, 1, 3]]) == ["", ""]


def test_only_categories_are_tastes():
    assert said([[3, 5]], [[0, 1, 3]], Role.TITLE) == [""]
