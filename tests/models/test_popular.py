from __future__ import annotations

import numpy as np
import pytest

from longtale.arrays import DAY
from longtale.data.arrivals import Arrivals, appended
from longtale.data.query import Queries
from longtale.data.synthetic import START, dataset_of
from longtale.errors import SplitError
from longtale.models.popular import Popular, PopularSettings, Rising, RisingSettings


def test_popular_is_the_logarithm_of_the_number_of_events():
    dataset = dataset_of([[0, 1], [1], [1, 0, 1]], n_items=3)
    scores = Popular.fit(dataset, PopularSettings()).scores(Queries.of([[]]))
    np.testing.assert_allclose(scores, [[np.log(3), np.log(5), np.nan]], rtol=1e-6)


def test_rising_halves_an_event_after_its_half_life():
    times = [[START, START + 10 * DAY]]
    dataset = dataset_of([[0, 1]], times=times)
    scores = Rising.fit(dataset, RisingSettings(half_life_days=10)).scores(Queries.of([[]]))
    np.testing.assert_allclose(scores, [[np.log(1.5), np.log(2)]], rtol=1e-6)


def test_rising_prefers_the_recent_to_the_frequent():
    times = [[START, START + DAY, START + 400 * DAY]]
    dataset = dataset_of([[0, 0, 1]], times=times)
    queries = Queries.of([[]])
    assert np.diff(Popular.fit(dataset, PopularSettings()).scores(queries)[0]) < 0
    assert np.diff(Rising.fit(dataset, RisingSettings()).scores(queries)[0]) > 0


def test_rising_refuses_events_without_times():
    with pytest.raises(SplitError, match="leave 'rising' out of"):
        Rising.fit(dataset_of([[0, 1]]), RisingSettings())


def test_rising_ages_all_that_was_counted_when_something_later_comes():
    dataset = dataset_of([[0, 1]], times=[[START, START + 10 * DAY]])
    events = Arrivals.of([0], [1], times=[START + 20 * DAY])
    model = Rising.fit(dataset, RisingSettings(half_life_days=10))
    later = model.updated(appended(dataset, events), events).scores(Queries.of([[]]))
    np.testing.assert_allclose(later, [[np.log(1.25), np.log(2.5)]], rtol=1e-6)


def test_an_event_that_comes_late_ages_nothing():
    dataset = dataset_of([[0, 1]], times=[[START, START + 10 * DAY]])
    events = Arrivals.of([0], [0], times=[START])
    model = Rising.fit(dataset, RisingSettings(half_life_days=10))
    later = model.updated(appended(dataset, events), events).scores(Queries.of([[]]))
    np.testing.assert_allclose(later, [[np.log(2), np.log(2)]], rtol=1e-6)


def test_an_item_that_has_faded_to_nothing_still_has_a_score():
    dataset = dataset_of([[0]], times=[[START]], n_items=2)
    events = Arrivals.of([0], [1], times=[START + 3000 * DAY])
    model = Rising.fit(dataset, RisingSettings(half_life_days=1))
    later = model.updated(appended(dataset, events), events).scores(Queries.of([[]]))
    np.testing.assert_allclose(later, [[0, np.log(2)]], rtol=1e-6)
