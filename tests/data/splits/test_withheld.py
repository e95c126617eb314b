from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.interactions import Interactions
from longtale.data.splits.withheld import without_items, without_last_events, without_users
from longtale.data.synthetic import dataset_of
from longtale.data.tags import Tags


def world(*, with_times: bool = True) -> Dataset:
    """User 0 meets items 0 and 1 and dismisses 2; user 1 meets 1 and 2; item 2 has a word."""
    shown = Impressions(
        pl.Series(["s0", "s1", "s2", "s3"]),
        users=np.array([0, 0, 1, -1], dtype=np.int32),
        items=np.array([1, 2, 2, 0], dtype=np.int32),
        ranks=np.ones(4, dtype=np.int32),
        propensities=np.ones(4, dtype=np.float32),
        times=np.array([15, 20, 40, 99]) if with_times else None,
    )
    dataset = dataset_of(
        [[0, 1], [1, 2]],
        times=[[10, 20], [10, 30]] if with_times else None,
        titles=["Orbit", "Bread", "Kiss"],
        tags=Tags(np.array([2], dtype=np.int32), pl.Series(["sad"])),
        impressions=shown,
    )
    times = np.array([20, 25, 31]) if with_times else None
    return replace(dataset, dismissals=Interactions.of([[2], [0, 0]], times=times))


def test_the_last_events_are_taken_and_the_rest_stays():
    rest, taken = without_last_events(world(), np.array([1]))
    assert rest.interactions.items.tolist() == [0, 1, 1]
    assert taken.items.tolist() == [2]
    assert taken.times.tolist() == [30]


def test_with_the_last_event_goes_what_its_user_did_from_then_on():
    rest, _ = without_last_events(world(), np.array([0, 1]))
    assert rest.dismissals.times.tolist() == [25]
    assert rest.impressions.slates.to_list() == ["s0", "s3"]


def test_other_users_keep_what_they_did():
    rest, _ = without_last_events(world(), np.array([1]))
    assert rest.dismissals.times.tolist() == [20, 25]
    assert rest.impressions.slates.to_list() == ["s0", "s1", "s3"]


def test_last_events_can_be_taken_where_only_the_order_is_known():
    rest, taken = without_last_events(world(with_times=False), np.array([0, 1]))
    assert rest.interactions.items.tolist() == [0, 1]
    assert taken.items.tolist() == [1, 2]
    assert len(rest.dismissals) == 3


def test_a_hidden_item_leaves_no_trace_but_its_own_text():
    rest = without_items(world(), np.array([False, False, True]))
    assert rest.item_counts.tolist() == [1, 2, 0]
    assert rest.dismissals.items.tolist() == [0, 0]
    assert rest.impressions.items.tolist() == [1, 0]
    assert len(rest.tags) == 0
    assert rest.catalog.frame["tags"].null_count() == 3
    assert rest.catalog.titles() == ["Orbit", "Bread", "Kiss"]


def test_a_held_out_user_leaves_no_event():
    rest = without_users(world(), np.array([False, True]))
    assert rest.interactions.users.tolist() == [0, 0]
    assert rest.dismissals.users.tolist() == [0]
    assert rest.impressions.users.tolist() == [0, 0, -1]
    assert rest.n_users == 2


def test_a_held_out_last_user_is_not_taken_for_an_anonymous_one():
    rest = without_users(world(), np.array([True, False]))
    assert rest.impressions.users.tolist() == [1, -1]
