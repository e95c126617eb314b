from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.dataset import Dataset
from longtale.data.forgetting import without_user
from longtale.data.impressions import Impressions
from longtale.data.synthetic import dataset_of

N_USERS, N_ITEMS = 4, 5
HISTORIES = st.lists(
    st.lists(st.integers(0, N_ITEMS - 1), max_size=4), min_size=N_USERS, max_size=N_USERS
)


def dataset(liked, dismissed, *, with_times: bool = True) -> Dataset:
    times = [[10 * n for n in range(len(items))] for items in liked] if with_times else None
    plain = dataset_of(liked, times=times, dismissed=dismissed, n_items=N_ITEMS)
    shown = Impressions(
        slates=pl.Series(["a", "b", "b", "c"], dtype=pl.String),
        users=np.array([0, 1, 1, 3], dtype=np.int32),
        items=np.array([0, 1, 2, 3], dtype=np.int32),
        ranks=np.array([1, 1, 2, 1], dtype=np.int32),
        propensities=np.ones(4, dtype=np.float32),
    )
    profiles = pl.DataFrame({"age": [1, 2, 3, 4], "about": ["a", None, "c", "d"]})
    return replace(plain, impressions=shown, profiles=profiles, profile_texts=("about",))


def everything_of(data: Dataset, row: int):
    rows = np.array([row])
    return (
        data.histories(rows).items.tolist(),
        data.dismissed(rows).items.tolist(),
        data.words_of(row),
        data.profiles.row(row),
        data.impressions.items[data.impressions.users == row].tolist(),
    )


@given(HISTORIES, HISTORIES, st.integers(0, N_USERS - 1), st.booleans())
def test_one_user_is_empty_and_nameless_and_all_others_are_as_they_were(
    liked, dismissed, row, with_times
):
    before = dataset(liked, dismissed, with_times=with_times)
    left = without_user(before, row)
    assert left.n_users == N_USERS
    assert everything_of(left, row) == ([], [], "", (None, None), [])
    assert left.users.ids[row].startswith("forgotten-")
    for other in set(range(N_USERS)) - {row}:
        assert everything_of(left, other) == everything_of(before, other)
        assert left.users.ids[other] == before.users.ids[other]
    counts = np.bincount(liked[row], minlength=N_ITEMS)
    assert (before.item_counts - left.item_counts).tolist() == counts.tolist()
    assert left.has_times == before.has_times


def test_nobody_can_tell_from_the_new_id_who_it_was():
    before = dataset([[0], [1], [], []], [[]] * N_USERS)
    names = {without_user(before, 0).users.ids[0] for _ in range(3)}
    assert len(names) == 3
    assert before.users.ids[0] == "u0"


def test_a_dataset_without_profiles_loses_no_row():
    left = without_user(dataset_of([[0, 1], [1]]), 1)
    assert left.n_users == 2
    assert left.profiles.width == 0


@pytest.mark.parametrize("row", [0, 1])
def test_forgetting_twice_is_forgetting_once(row):
    before = dataset([[0, 1], [2], [], [1]], [[2], [], [], []])
    once = without_user(before, row)
    assert everything_of(without_user(once, row), row) == everything_of(once, row)
