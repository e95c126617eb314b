from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.splits.bands import BANDS, BandSettings, bands
from longtale.data.synthetic import dataset_of
from longtale.errors import SettingsError
from longtale.schema import Band

COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=12)


def bands_of(counts: list[int], settings: BandSettings | None = None) -> list[Band]:
    events = [[item] for item, count in enumerate(counts) for _ in range(count)]
    return [BANDS[code] for code in bands(dataset_of(events, n_items=len(counts)), settings)]


def test_head_torso_and_tail_part_the_interactions():
    head, torso, tail, new = BANDS
    # 50 + 20 + 10 + 10 + 5 + 5: the second item begins at 50 %, the fourth at 80 %
    assert bands_of([10, 50, 5, 20, 10, 5, 0]) == [torso, head, tail, torso, torso, tail, new]


def test_the_shares_can_be_set():
    settings = BandSettings(head_share=0, torso_share=0.5)
    assert bands_of([5, 4, 1], settings) == [Band.TORSO, Band.TAIL, Band.TAIL]


@given(COUNTS)
def test_only_untouched_items_are_new(counts):
    assert [band is Band.NEW for band in bands_of(counts)] == [count == 0 for count in counts]


@given(COUNTS)
def test_a_more_popular_item_is_never_in_a_lower_band(counts):
    codes = np.array([BANDS.index(band) for band in bands_of(counts)])
    assert (np.diff(codes[np.argsort(counts)[::-1]]) >= 0).all()


@given(COUNTS)
def test_equally_popular_items_share_a_band(counts):
    found = bands_of(counts)
    assert len(set(zip(counts, found, strict=True))) == len(set(counts))


@given(COUNTS)
def test_head_and_torso_hold_their_share_or_more(counts):
    found = bands_of(counts)
    share = {band: sum(n for n, b in zip(counts, found, strict=True) if b is band) for band in Band}
    assert share[Band.HEAD] >= 0.5 * sum(counts)
    assert share[Band.HEAD] + share[Band.TORSO] >= 0.8 * sum(counts) - 1e-9


def test_bands_of_a_world_without_events_are_all_new():
    assert bands_of([0, 0]) == [Band.NEW, Band.NEW]


def test_a_share_above_one_is_refused():
    with pytest.raises(SettingsError, match=r"'head_share' is 1.5"):
        BandSettings.parse({"head_share": 1.5})
