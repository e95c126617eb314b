"""The bundled catalogue is whole and reads as published."""

from __future__ import annotations

import pytest

from longtale.data.movielens import read_movielens_small


@pytest.fixture(scope="module")
def intake():
    return read_movielens_small()


def test_counts_are_those_that_grouplens_publishes(intake):
    dataset = intake.dataset
    assert (dataset.n_users, dataset.n_items) == (610, 9742)
    assert (len(dataset.interactions), len(dataset.dismissals)) == (100_836, 0)
    assert len(dataset.tags) == 3683


def test_nothing_is_set_aside(intake):
    assert sum(table.n_quarantined for table in intake.report.tables) == 0


def test_year_comes_out_of_the_title(intake):
    frame = intake.dataset.catalog.frame
    assert frame["year"][0] == 1995
    assert frame["year"].null_count() < 20


def test_film_without_genres_has_none(intake):
    assert not intake.dataset.catalog.frame["genres"].str.contains("no genres").any()


def test_tags_are_cut_with_the_rest(intake):
    cut = 1_300_000_000_000_000
    earlier = intake.dataset.before(cut)
    assert 0 < len(earlier.tags) < 3683
    assert earlier.interactions.times.max() < cut
