from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.arrays import DAY
from longtale.data.splits.bands import BANDS
from longtale.feedback.click_rate import ClickRates, ClickRateSettings, tail_boost
from longtale.schema import Band

HEAD, TAIL, NEW = (BANDS.index(band) for band in (Band.HEAD, Band.TAIL, Band.NEW))
BANDS_OF = np.array([HEAD, TAIL, TAIL, TAIL, NEW], dtype=np.int8)
SETTINGS = ClickRateSettings(half_life_days=10, prior_shows=4, largest_boost=0.5)


def rates_after(events: list[tuple[int, bool, int]], settings=SETTINGS) -> ClickRates:
    items, clicks, days = (list(column) for column in zip(*events, strict=True))
    return ClickRates.none(5, settings).updated(
        np.array(items, dtype=np.int32), np.array(days) * DAY, np.array(clicks)
    )


def shown_and_clicked(item: int, shown: int, clicked: int, day: int = 0):
    return [(item, False, day)] * shown + [(item, True, day)] * clicked


def test_a_rate_is_drawn_to_that_of_its_band():
    events = shown_and_clicked(1, 8, 4) + shown_and_clicked(2, 12, 0) + shown_and_clicked(0, 9, 9)
    rates = rates_after(events).rates(BANDS_OF)
    tail, overall = 4 / 20, 13 / 29
    expected = [(9 + 4) / 13, (4 + 4 * tail) / 12, 4 * tail / 16, tail, overall]
    np.testing.assert_allclose(rates, expected)


def test_what_was_counted_fades_by_half_after_the_half_life():
    old = rates_after(shown_and_clicked(1, 8, 4))
    later = old.updated(np.array([2], dtype=np.int32), np.array([10 * DAY]), np.array([False]))
    np.testing.assert_allclose(later.shown, [0, 4, 1, 0, 0])
    np.testing.assert_allclose(later.clicked, [0, 2, 0, 0, 0])
    np.testing.assert_allclose(old.shown, [0, 8, 0, 0, 0])


EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 30)), min_size=2, max_size=12
)


@given(EVENTS)
def test_counting_one_by_one_equals_counting_at_once(events):
    once = rates_after(events)
    first = rates_after(events[:1])
    for event in events[1:]:
        item, is_click, day = event
        first = first.updated(
            np.array([item], dtype=np.int32), np.array([day * DAY]), np.array([is_click])
        )
    np.testing.assert_allclose(first.shown, once.shown)
    np.testing.assert_allclose(first.clicked, once.clicked)


@given(EVENTS)
def test_a_boost_is_bounded_and_for_the_tail_only(events):
    boost = rates_after(events).boost(BANDS_OF)
    assert ((boost >= 0) & (boost <= 0.5)).all()
    assert boost[0] == 0


def test_a_click_lifts_a_tail_item_and_a_showing_without_one_lowers_it_again():
    events = shown_and_clicked(1, 4, 1) + shown_and_clicked(2, 40, 2)
    clicked = rates_after([*events, (1, False, 0), (1, True, 0)]).boost(BANDS_OF)
    ignored = rates_after([*events, *shown_and_clicked(1, 12, 0)]).boost(BANDS_OF)
    usual = rates_after(events).boost(BANDS_OF)
    assert clicked[1] > usual[1] > ignored[1]


def test_a_click_without_a_showing_is_no_rate_above_one():
    assert rates_after([(1, True, 0)] * 30).rates(BANDS_OF).max() <= 1


def test_nothing_shown_lifts_nothing():
    assert not ClickRates.none(5, SETTINGS).boost(BANDS_OF).any()


@pytest.mark.parametrize("ratio, share", [(0.5, 0), (1, 0), (2, 0.5), (4, 0.75), (1000, 0.999)])
def test_the_boost_grows_towards_the_largest(ratio, share):
    boost = tail_boost(np.array([0.01 * ratio]), np.array([0.01]), np.array([True]), largest=2)
    np.testing.assert_allclose(boost, [2 * share], rtol=1e-5)


@pytest.mark.parametrize("name, value", [("half_life_days", 1), ("prior_shows", 40)])
def test_each_setting_changes_the_boost(name, value):
    events = shown_and_clicked(1, 4, 4, day=0) + shown_and_clicked(2, 40, 2, day=9)
    other = SETTINGS.model_copy(update={name: value})
    usual = rates_after(events).boost(BANDS_OF)
    assert not np.array_equal(usual, rates_after(events, other).boost(BANDS_OF))
