from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.arrays import offsets_of
from longtale.data.interactions import Histories, Interactions

USERS = st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=6)


def lists_of(histories: Histories) -> list[list[int]]:
    return [part.tolist() for part in np.split(histories.items, histories.offsets[1:-1])]


def timed(users: list[list[int]]) -> Histories:
    """Histories in which event n has weight n + 1 and time 10 n, so that each can be told."""
    n = sum(len(items) for items in users)
    return Histories(
        offsets_of(np.array([len(items) for items in users])),
        np.array([item for items in users for item in items], dtype=np.int32),
        np.arange(1, n + 1, dtype=np.float32),
        np.arange(n, dtype=np.int64) * 10,
    )


def assert_same(left: Histories, right: Histories) -> None:
    for name in ("offsets", "items", "weights", "times"):
        mine, theirs = getattr(left, name), getattr(right, name)
        np.testing.assert_array_equal(mine, theirs)
        if mine is not None:
            assert mine.dtype == theirs.dtype


@given(USERS)
def test_histories_hold_what_they_were_made_of(users):
    assert lists_of(Histories.of(users)) == users
    assert Histories.of(users).lengths.tolist() == [len(items) for items in users]


@given(USERS, st.data())
def test_take_gives_the_chosen_users_in_order(users, data):
    chosen = data.draw(st.lists(st.integers(0, len(users) - 1), min_size=1, max_size=8))
    taken = timed(users).take(np.array(chosen))
    assert lists_of(taken) == [users[row] for row in chosen]
    assert len(taken.times) == len(taken.weights) == len(taken.items)


@given(USERS, st.integers(0, 7))
def test_last_keeps_the_newest_events(users, n):
    kept = timed(users).last(n)
    assert lists_of(kept) == [items[max(len(items) - n, 0) :] for items in users]
    np.testing.assert_array_equal(kept.times, (kept.weights.astype(np.int64) - 1) * 10)


@given(USERS, st.integers(0, 7))
def test_first_keeps_the_oldest_events(users, n):
    assert lists_of(timed(users).first(n)) == [items[:n] for items in users]


@given(USERS, st.data())
def test_first_and_last_may_keep_another_number_of_each_user(users, data):
    numbers = [data.draw(st.integers(0, len(items))) for items in users]
    histories = timed(users)
    first = histories.first(np.array(numbers))
    last = histories.last(histories.lengths - np.array(numbers))
    assert_same(first.followed_by(last), histories)


@given(USERS, st.integers(0, 6))
def test_where_keeps_users_who_have_nothing_left(users, item):
    histories = timed(users)
    kept = histories.where(histories.items != item)
    assert lists_of(kept) == [[i for i in items if i != item] for items in users]


@given(USERS, st.integers(1, 5))
def test_slicing_and_concatenating_round_trips(users, at):
    histories, rows = timed(users), np.arange(len(users))
    parts = [histories.take(rows[:at]), histories.take(rows[at:])]
    assert_same(Histories.concatenated(parts), histories)


@given(USERS)
def test_followed_by_puts_later_events_behind(users):
    both = Histories.of(users).followed_by(Histories.of([[9]] * len(users)))
    assert lists_of(both) == [[*items, 9] for items in users]


def test_times_are_unknown_where_a_part_has_none():
    assert timed([[1]]).followed_by(Histories.of([[2]])).times is None


@given(USERS)
def test_matrix_adds_up_repeated_events_and_leaves_the_history_alone(users):
    histories = timed(users)
    expected = np.zeros((len(users), 7), dtype=np.float32)
    weight = 0
    for row, items in enumerate(users):
        for item in items:
            weight += 1
            expected[row, item] += weight
    np.testing.assert_array_equal(histories.matrix(7).toarray(), expected)
    assert_same(histories, timed(users))


def test_interactions_name_the_user_of_each_event():
    events = Interactions.of([[1, 2], [], [0]])
    assert events.users.tolist() == [0, 0, 2]
    assert len(events) == 3


@pytest.mark.parametrize("times", [None, np.array([1, 2, 3])])
def test_chosen_interactions_keep_all_their_columns(times):
    events = Interactions.of([[1, 2], [], [0]], times=times)
    kept = events.where(np.array([False, True, True]))
    assert kept.items.tolist() == [2, 0]
    assert kept.users.tolist() == [0, 2]
    assert len(kept.kinds) == len(kept.values) == 2
    assert (kept.times is None) == (times is None)
