from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.interactions import Interactions
from longtale.data.synthetic import dataset_of
from longtale.data.tags import Tags
from longtale.errors import SplitError

TIMES = st.lists(st.lists(st.integers(0, 9), max_size=5).map(sorted), min_size=1, max_size=5)
SOME_TIMES = st.lists(st.integers(0, 9), max_size=6)


def tags_at(times: list[int] | None, n: int = 0) -> Tags:
    n = n if times is None else len(times)
    words = pl.Series([f"word {i}" for i in range(n)], dtype=pl.String)
    return Tags(np.zeros(n, dtype=np.int32), words, None if times is None else np.array(times))


def shown_at(times: list[int]) -> Impressions:
    rows = np.zeros(len(times), dtype=np.int32)
    slates = pl.Series(["s"] * len(times), dtype=pl.String)
    return Impressions(slates, rows, rows, rows, rows.astype(np.float32), np.array(times))


def rich() -> Dataset:
    dataset = dataset_of(
        [[0, 1], [1, 2, 0]],
        times=[[10, 20], [5, 10, 15]],
        titles=["Orbit", "Bread", "Kiss", "Reef"],
        dismissed=[[3], []],
        tags=tags_at([10, 20]),
        impressions=shown_at([10, 20]),
    )
    return replace(dataset, profiles=pl.DataFrame({"age": [30, 40]}))


@given(TIMES, SOME_TIMES, SOME_TIMES, SOME_TIMES, st.integers(0, 10))
def test_before_holds_nothing_at_or_after_the_time(events, dismissed, tagged, shown, cut):
    dataset = dataset_of(
        [[0] * len(times) for times in events],
        times=events,
        titles=["a", "b"],
        tags=tags_at(tagged),
        impressions=shown_at(shown),
    )
    turned_down = Interactions.of(
        [[1] * len(dismissed)] + [[]] * (len(events) - 1), times=np.sort(dismissed).astype(np.int64)
    )
    known = replace(dataset, dismissals=turned_down).before(cut)
    for kept, all_times in [
        (known.interactions, [time for times in events for time in times]),
        (known.dismissals, dismissed),
        (known.tags, tagged),
        (known.impressions, shown),
    ]:
        assert sorted(kept.times.tolist()) == sorted(time for time in all_times if time < cut)
    assert (known.n_users, known.n_items) == (dataset.n_users, dataset.n_items)


def test_before_cuts_the_words_of_tags_out_of_the_catalogue():
    assert rich().catalog.frame["tags"][0] == "word 0|word 1"
    assert rich().before(20).catalog.frame["tags"][0] == "word 0"
    assert rich().before(10).catalog.frame["tags"][0] is None


def test_what_has_no_time_is_not_known_before_any():
    dataset = replace(rich(), tags=tags_at(None, n=2))
    assert len(dataset.before(1_000).tags) == 0
    assert dataset.before(1_000).catalog.frame["tags"].null_count() == 4


def test_an_order_alone_cannot_be_cut_at_a_time():
    with pytest.raises(SplitError, match=r"only an order .* use leave-one-out"):
        dataset_of([[0, 1]]).before(5)


def test_histories_of_an_order_alone_cannot_be_cut_at_a_time():
    with pytest.raises(SplitError, match="carry no times"):
        dataset_of([[0, 1]]).histories(np.array([0]), before=5)


def test_a_dataset_without_events_can_be_cut_at_any_time():
    assert len(dataset_of([[], []], n_items=2).before(5).interactions) == 0


def test_histories_are_cut_before_and_since_a_time():
    users = np.array([1, 0])
    assert rich().histories(users, before=10).items.tolist() == [1]
    assert rich().histories(users, since=10).items.tolist() == [2, 0, 0, 1]


def test_an_anonymous_user_has_no_history():
    found = rich().histories(np.array([-1, 0, -1]))
    assert found.lengths.tolist() == [0, 2, 0]
    assert found.items.tolist() == [0, 1]


def test_a_dataset_without_users_answers_anonymous_ones():
    dataset = dataset_of([], n_items=3)
    assert dataset.histories(np.array([-1, -1])).lengths.tolist() == [0, 0]
    assert dataset.seen(np.array([-1])).nnz == 0


def test_seen_are_the_liked_and_the_dismissed():
    seen = rich().seen(np.array([0, -1, 1]))
    assert (seen.toarray() != 0).tolist() == [
        [True, True, False, True],
        [False] * 4,
        [True, True, True, False],
    ]


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_seen_holds_a_dismissal_whatever_it_weighs(weight):
    dismissals = Interactions.of([[3, 0]])
    weights = np.full(2, weight, dtype=np.float32)
    dismissals = replace(dismissals, histories=replace(dismissals.histories, weights=weights))
    dataset = replace(dataset_of([[0, 1]], n_items=4), dismissals=dismissals)
    seen = dataset.seen(np.array([0]))
    assert sorted(seen.indices.tolist()) == [0, 1, 3]
    assert (seen.data > 0).all()


def test_matrix_and_counts_tell_of_repeated_events():
    dataset = dataset_of([[0, 0, 2], [2]], n_items=4)
    assert dataset.matrix().toarray().tolist() == [[2, 0, 1, 0], [0, 0, 1, 0]]
    assert dataset.item_counts.tolist() == [2, 0, 2, 0]


def test_chosen_interactions_leave_users_and_items():
    kept = rich().with_interactions(np.array([True, False, False, False, True]))
    assert kept.histories(np.arange(2)).items.tolist() == [0, 0]
    assert (kept.n_users, kept.n_items) == (2, 4)


def test_same_content_same_fingerprint():
    assert rich().fingerprint == rich().fingerprint


def changed_interactions(**arrays: object) -> Dataset:
    events = rich().interactions
    return replace(rich(), interactions=replace(events, **arrays))


def changed_history(**arrays: object) -> Dataset:
    return changed_interactions(histories=replace(rich().interactions.histories, **arrays))


@pytest.mark.parametrize(
    "other",
    [
        changed_history(times=np.array([10, 20, 5, 10, 16])),
        changed_history(times=None),
        changed_history(items=np.array([0, 1, 1, 2, 3], dtype=np.int32)),
        changed_history(weights=np.array([1, 1, 1, 1, 2], dtype=np.float32)),
        changed_history(offsets=np.array([0, 1, 5])),
        changed_interactions(kinds=np.array([0, 0, 0, 0, 1], dtype=np.int16)),
        changed_interactions(values=np.ones(5, dtype=np.float32)),
        replace(rich(), kinds=("buy",)),
        replace(rich(), dismissals=Interactions.of([[], [3]])),
        replace(rich(), profiles=pl.DataFrame({"age": [30, 41]})),
        replace(rich(), profiles=pl.DataFrame({"size": [30, 40]})),
        replace(rich(), profiles=pl.DataFrame()),
        replace(rich(), tags=tags_at([10, 21])),
        replace(rich(), impressions=shown_at([10, 21])),
        replace(rich(), impressions=Impressions.none()),
        replace(rich(), users=rich().users.extended(["u9"])),
        replace(rich(), catalog=rich().catalog.take([0, 1, 3, 2])),
    ],
)
def test_any_change_changes_the_fingerprint(other):
    assert other.fingerprint != rich().fingerprint
