from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longtale.data.arrivals import Arrivals, appended, interest_of
from longtale.data.dataset import Dataset
from longtale.data.event import EventKind
from longtale.data.intake.mapping import DataSettings, EventSource, ItemSource, UserSource
from longtale.data.intake.prepare import read_dataset
from longtale.data.synthetic import dataset_of

KINDS = DataSettings().all_kinds()
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.sampled_from(["click", "buy", "dismiss", "rate"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)
Event = tuple[int, int, str, int]


def read(folder, events: list[Event], *, time: bool, users: bool) -> Dataset:
    """Prepare a log with a catalogue of five items and, where asked, one user's profile."""
    lines = [f"u{user},i{item},{kind},{at},{at}" for user, item, kind, at in events]
    (folder / "events.csv").write_text("\n".join(["u,i,k,t,v", *lines]))
    (folder / "items.csv").write_text("i\n" + "\n".join(f"i{n}" for n in range(5)))
    (folder / "users.csv").write_text("u,age\nu0,30\n")
    columns = {"user": "u", "item": "i", "kind": "k", "value": "v"} | (
        {"time": "t"} if time else {}
    )
    source = DataSettings(
        events=EventSource(source="events.csv", **columns),
        items=ItemSource(source="items.csv", id="i"),
        users=UserSource(source="users.csv", id="u") if users else None,
    )
    return read_dataset(source, folder).dataset


def arrivals_of(dataset: Dataset, events: list[Event], *, time: bool) -> Arrivals:
    ids = [f"u{user}" for user, *_ in events]
    rows = dataset.users.rows(ids)
    newcomers = tuple(dict.fromkeys(i for i, row in zip(ids, rows, strict=True) if row < 0))
    place = {name: dataset.n_users + n for n, name in enumerate(newcomers)}
    rows = [place.get(i, row) for i, row in zip(ids, rows, strict=True)]
    numbers = np.array([dataset.kinds.index(kind) for _, _, kind, _ in events], dtype=np.int16)
    at = [moment for *_, moment in events]
    values = np.array(at, dtype=np.float32)
    items = dataset.items.rows([f"i{item}" for _, item, *_ in events])
    seconds = [1_000_000 * moment for moment in at]
    return replace(
        Arrivals.of(rows, items, times=seconds if time else None, newcomers=newcomers),
        kinds=numbers,
        values=values,
        weights=interest_of(list(KINDS.values()), numbers, values),
    )


@settings(deadline=None, max_examples=50)  # each reads files
@given(EVENTS, EVENTS, st.booleans(), st.booleans())
def test_appending_equals_preparing_old_and_new_together(
    tmp_path_factory, old, new, with_times, with_profiles
):
    folder = tmp_path_factory.mktemp("log")
    dataset = read(folder, old, time=with_times, users=with_profiles)
    before = dataset.fingerprint
    events = arrivals_of(dataset, new, time=with_times)
    together = read(folder, old + new, time=with_times, users=with_profiles)
    assert appended(dataset, events).fingerprint == together.fingerprint
    assert replace(dataset).fingerprint == before


def test_a_late_event_stands_at_its_time():
    dataset = dataset_of([[0, 1], [2]], times=[[10, 20], [5]], n_items=4)
    later = appended(dataset, Arrivals.of([0, 0, 0], [3, 2, 3], times=[5, 10, 30]))
    assert later.interactions.items.tolist() == [3, 0, 2, 1, 3, 2]
    assert later.interactions.times.tolist() == [5, 10, 10, 20, 30, 5]


def test_newcomers_get_empty_profiles():
    dataset = replace(dataset_of([[0]]), profiles=pl.DataFrame({"age": [30]}))
    later = appended(dataset, Arrivals.of([1], [0], newcomers=("new",)))
    assert later.profiles["age"].to_list() == [30, None]
    assert later.users.row("new") == 1


def test_the_first_events_of_all_bring_their_times():
    dataset = dataset_of([[], []], n_items=2)
    later = appended(dataset, Arrivals.of([1, 1], [0, 1], times=[8, 7]))
    assert later.interactions.times.tolist() == [7, 8]
    assert later.interactions.items.tolist() == [1, 0]


def test_nothing_new_changes_nothing():
    dataset = dataset_of([[0, 1]], dismissed=[[2]])
    assert appended(dataset, Arrivals.of([], [])).fingerprint == dataset.fingerprint


@pytest.mark.parametrize("value, shown", [(3.0, 2.0), (1.0, 0.0), (np.nan, 2.0)])
def test_too_low_a_value_shows_no_interest(value, shown):
    kinds = [EventKind(name="rate", weight=2, min_value=2)]
    assert interest_of(kinds, np.array([0]), np.float32([value])).tolist() == [shown]


def test_without_a_user_nothing_of_them_is_left_and_all_rows_stay():
    events = Arrivals.of([3, 0, 2, 3], [0, 1, 2, 3], times=[1, 2, 3, 4], newcomers=("ann", "bob"))
    left = events.without(3, "bob")
    assert left.users.tolist() == [0, 2]
    assert left.items.tolist() == [1, 2]
    assert left.times is not None and left.times.tolist() == [2, 3]
    assert left.newcomers[0] == "ann"
    assert left.newcomers[1].startswith("forgotten-")
    assert events.without(3, "bob").newcomers[1] != left.newcomers[1], "it tells nothing"
    known = events.without(0, "u0")
    assert (known.users.tolist(), known.newcomers) == ([3, 2, 3], ("ann", "bob"))
