from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.dataset import Dataset
from longtale.data.event import EventKind
from longtale.data.live import Live
from longtale.data.synthetic import dataset_of
from longtale.errors import DataError, UnknownIdError

CLICK = {"click": EventKind(name="click")}
BATCHES = st.lists(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 9), st.booleans()),
        max_size=5,
    ),
    max_size=4,
)


def world() -> Dataset:
    return dataset_of([[0, 1], [2]], times=[[2, 5], [5]], dismissed=[[3], []], n_items=4)


def clicked(live: Live, users: list[str], items: list[str], times: list[int] | None) -> Live:
    at = None if times is None else np.array(times)
    events = live.read(users, items, kinds=["click"] * len(users), known_kinds=CLICK, times=at)
    return live.with_events(events)


@given(BATCHES, st.booleans())
def test_waiting_events_answer_like_folded_ones(batches, with_times):
    dataset = world() if with_times else dataset_of([[0, 1], [2]], dismissed=[[3], []])
    kinds = {"click": EventKind(name="click", min_value=1)}
    live = Live(dataset)
    for batch in batches:
        live = live.with_events(
            live.read(
                [f"u{user}" for user, *_ in batch],
                [f"i{item}" for _, item, *_ in batch],
                kinds=["click"] * len(batch),
                known_kinds=kinds,
                values=np.array([liked for *_, liked in batch], dtype=np.float32),
                times=np.array([at for *_, at, _ in batch]) if with_times else None,
            )
        )
    folded = live.folded()
    rows = np.array([-1, *range(live.n_users)])
    for name in ("histories", "dismissed"):
        mine, theirs = getattr(live, name)(rows), getattr(folded, name)(rows)
        np.testing.assert_array_equal(mine.offsets, theirs.offsets)
        np.testing.assert_array_equal(mine.items, theirs.items)
        np.testing.assert_array_equal(mine.weights, theirs.weights)
        if with_times and len(theirs.items):
            np.testing.assert_array_equal(mine.times, theirs.times)
    np.testing.assert_array_equal(live.seen(rows).toarray(), folded.seen(rows).toarray())


def test_a_newcomer_keeps_the_row_of_their_first_event():
    live = clicked(Live(world()), ["zoe"], ["i1"], [7])
    live = clicked(live, ["zoe", "u0"], ["i0", "i3"], [6, 8])
    assert live.user_rows(["zoe", "u1", "nobody"]).tolist() == [2, 1, -1]
    assert live.histories(np.array([2])).items.tolist() == [0, 1]
    assert live.folded().users.ids.to_list() == ["u0", "u1", "zoe"]


def test_newcomers_are_found_among_thousands():
    names = [f"n{row}" for row in range(1_200)]
    live = clicked(Live(world()), names, ["i0"] * len(names), [9] * len(names))
    assert live.user_rows(["u1", *names]).tolist() == [1, *range(2, 1_202)]


def test_the_dataset_and_earlier_states_are_left_as_they_were():
    dataset = world()
    before = dataset.fingerprint
    first = Live(dataset)
    clicked(first, ["u0"], ["i2"], [9])
    assert first.histories(np.array([0])).items.tolist() == [0, 1]
    assert dataset.fingerprint == before


def test_times_are_passed_over_where_only_an_order_is_known():
    live = clicked(Live(dataset_of([[0, 1]])), ["u0"], ["i0"], [-5])
    assert live.folded().interactions.items.tolist() == [0, 1, 0]
    assert live.folded().interactions.times is None


def test_unknown_items_are_refused():
    with pytest.raises(UnknownIdError, match=r"events on items .'i9'.*add the items first"):
        clicked(Live(world()), ["u0"], ["i9"], [9])


def test_unknown_kinds_are_refused():
    with pytest.raises(DataError, match=r"unknown event kind 'clik'.*did you mean 'click'"):
        Live(world()).read(["u0"], ["i1"], kinds=["clik"], known_kinds=CLICK, times=np.array([9]))


def test_events_must_say_when_where_the_others_do():
    with pytest.raises(DataError, match="carry no times, and those of the dataset do"):
        clicked(Live(world()), ["u0"], ["i1"], None)


@given(BATCHES, st.integers(0, 20), st.booleans())
def test_what_was_folded_meanwhile_is_counted_once(batches, n_before, with_times):
    """Some events are folded while others come; together they answer as if nothing had been."""
    dataset = world() if with_times else dataset_of([[0, 1], [2]], dismissed=[[3], []])
    live, folded_from = Live(dataset), Live(dataset)
    for k, batch in enumerate(batches):
        times = [at for *_, at, _ in batch]
        users, items = [f"u{user}" for user, *_ in batch], [f"i{item}" for _, item, *_ in batch]
        live = clicked(live, users, items, times if with_times else None)
        if k < n_before:
            folded_from = live
    later = live.after(folded_from.folded(), len(folded_from.pending))
    assert later.n_users == live.n_users
    assert len(later.pending) == len(live.pending) - len(folded_from.pending)
    names = [f"u{user}" for user in range(5)]
    assert later.user_rows(names).tolist() == live.user_rows(names).tolist()
    rows = np.arange(live.n_users)
    mine, theirs = later.histories(rows), live.histories(rows)
    np.testing.assert_array_equal(mine.offsets, theirs.offsets)
    np.testing.assert_array_equal(mine.items, theirs.items)
    assert later.folded().fingerprint == live.folded().fingerprint


def test_newcomers_keep_their_rows_when_all_that_one_did_is_taken_out():
    live = clicked(Live(world()), ["zoe"], ["i1"], [7])
    left = Live(live.dataset, live.pending.without(2, "zoe"))
    again = clicked(left, ["ann", "zoe"], ["i0", "i3"], [8, 9])
    assert again.user_rows(["ann", "zoe"]).tolist() == [3, 4]
    assert again.histories(np.array([2, 3, 4])).items.tolist() == [0, 3]
    assert again.folded().users.ids.to_list()[3:] == ["ann", "zoe"]
