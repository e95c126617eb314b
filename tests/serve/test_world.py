from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.said import event, item, now, record
from tests.serve.shop import ODD_ITEM

from longtale.data.event import DEFAULT_KINDS
from longtale.data.record import Record, RecordKind, Stored
from longtale.recommend.pipeline import Recommender
from longtale.serve.forgotten import forgotten
from longtale.serve.taste import Taste
from longtale.serve.world import Views, World, with_documents

KINDS = {kind.name: kind for kind in DEFAULT_KINDS}
USERS = ("u0", "u1", "ann", "bob")
ITEMS = ("i1", "i9", ODD_ITEM, "new")


def log_of(records: Sequence[Record], first: int = 1) -> list[Stored]:
    return [Stored(seq, each) for seq, each in enumerate(records, start=first)]


def begun(recommender: Recommender) -> World:
    return World.of(recommender, KINDS)


def met(world: World, user: str) -> tuple[list[str], list[str]]:
    """Give what a user touched, and what they turned down."""
    rows = world.live.user_rows([user])
    items = world.live.dataset.items
    return tuple(
        items.ids_of(found.items)
        for found in (world.live.histories(rows), world.live.dismissed(rows))
    )


def everything(world: World):
    return (
        {user: met(world, user) for user in sorted(world.user_ids())},
        [stored.record.id for stored in world.waiting],
        world.unplaced,
        world.seq,
    )


EVENTS = st.builds(
    lambda user, one, kind, at: event(user, one, kind, time=1_800_000_000_000_000 + at),
    st.sampled_from(USERS),
    st.sampled_from(ITEMS),
    st.sampled_from(["view", "dismiss", "no kind of ours"]),
    st.integers(0, 3),
)
RECORDS = st.lists(
    st.one_of(
        EVENTS,
        EVENTS,
        st.builds(item, st.sampled_from(ITEMS), st.sampled_from([{"title": "x"}, None])),
        st.builds(forgotten, st.sampled_from(USERS)),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(RECORDS, st.lists(st.integers(0, 12), max_size=3))
def test_the_log_says_the_same_in_whatever_parts_it_is_read(recommender, records, cuts):
    stored = log_of(records)
    whole = begun(recommender).after(stored)
    parts, start = begun(recommender), 0
    for end in [*sorted(cuts), len(stored)]:
        parts = parts.after(stored[start:end])
        start = max(start, end)
    assert everything(parts)[1:] == everything(whole)[1:]
    told, again = everything(parts)[0], everything(whole)[0]
    # who is forgotten keeps a row without a name, drawn anew each time
    assert {u: m for u, m in told.items() if not u.startswith("forgotten-")} == {
        u: m for u, m in again.items() if not u.startswith("forgotten-")
    }
    assert all(m == ([], []) for u, m in told.items() if u.startswith("forgotten-"))


def test_events_are_known_by_time_and_dismissals_apart(recommender):
    late, early = event("ann", "i1", time=2), event("ann", "i9", time=1)
    down = event("ann", "i2", "dismiss", time=3)
    world = begun(recommender).after(log_of([late, early, down]))
    assert met(world, "ann") == (["i9", "i1"], ["i2"])
    assert world.seq == 3


def test_events_of_a_kind_that_is_not_declared_any_more_change_nothing(recommender):
    world = begun(recommender).after(log_of([event("ann", "i1", "glance")]))
    assert not world.knows("ann")


def test_events_on_an_item_that_is_not_placed_yet_wait_and_are_known_once_it_is(recommender):
    records = [item("new", {"title": "The comet"}), event("ann", "new"), event("ann", "i1")]
    world = begun(recommender).after(log_of(records))
    assert met(world, "ann") == (["i1"], [])
    assert world.unplaced == {"new"}
    placed = world.placed(
        with_documents(world.recommender, {"new": {"title": "The comet"}}), ["new"]
    )
    assert met(placed, "ann") == (["new", "i1"], [])
    assert not placed.unplaced
    assert not placed.waiting


def test_placing_some_items_leaves_the_others_and_their_events_waiting(recommender):
    records = [item("a", {}), item("b", {}), event("ann", "a"), event("ann", "b")]
    world = begun(recommender).after(log_of(records))
    placed = world.placed(with_documents(world.recommender, {"b": {}}), ["b"])
    assert met(placed, "ann") == (["b"], [])
    assert placed.unplaced == {"a"}
    assert [stored.record.subject for stored in placed.waiting] == ["ann"]


def test_what_came_while_a_model_learned_still_waits_to_be_learned(recommender):
    first = begun(recommender).after(log_of([event("ann", "i1"), event("u0", "i9")]))
    later = first.after(log_of([event("bob", "i2"), event("ann", "i3")], first=3))
    learned = later.having_learned(first.recommender.having_learned(first.live.pending), 2)
    assert everything(learned) == everything(later)
    assert len(learned.live.pending) == 2
    assert learned.live.dataset.n_users == recommender.dataset.n_users + 1


def test_a_forgotten_user_is_a_stranger_and_a_newcomer_when_they_come_back(recommender):
    before = [event("u0", "i9"), event("ann", "i1"), event("ann", "never placed")]
    world = begun(recommender).after(log_of(before))
    for user in ("u0", "ann"):
        assert world.knows(user)
        gone = world.after(log_of([forgotten(user)], first=4))
        assert not gone.knows(user)
        assert user not in gone.user_ids()
        assert met(gone, user) == ([], [])
        back = gone.after(log_of([event(user, "i5")], first=5))
        assert met(back, user) == (["i5"], [])


def test_others_stay_when_one_is_forgotten(recommender):
    world = begun(recommender).after(log_of([event("ann", "i1"), event("bob", "i2")]))
    gone = world.after(log_of([forgotten("ann"), forgotten("u0")], first=3))
    for user in ("bob", "u1", "u2"):
        assert met(gone, user) == met(world, user)


def test_what_a_bundle_was_trained_on_is_not_counted_again(recommender):
    trained = replace(recommender, log_seq=3)
    records = [event("u0", "i9"), item("i1", {"title": "x"}), forgotten("u1"), event("u0", "i8")]
    world = World.of(trained, KINDS).after(log_of(records))
    assert met(world, "u0")[0] == [*met(begun(recommender), "u0")[0], "i8"]
    assert not world.unplaced
    assert world.knows("u1"), "they came back before the training"
    assert world.seq == 4


@pytest.mark.parametrize(
    ("body", "is_withheld"),
    [
        (None, True),
        ({"hidden": True}, True),
        ({"hidden": False}, False),
        ({"available_until": "2000-01-01"}, True),
        ({"available_from": "2999-01-01"}, True),
        ({"available_from": "2000-01-01"}, False),
    ],
)
def test_a_document_withholds_its_item_before_it_is_placed(recommender, body, is_withheld):
    views = Views()
    records = log_of([item("i1", body), item("nowhere", body)])
    for stored in records:
        views.apply(stored.record)
    world = begun(recommender).after(records)
    withheld = np.flatnonzero(world.withheld(views, now()))
    assert world.live.dataset.items.ids_of(withheld) == (["i1"] if is_withheld else [])


def test_an_item_that_was_taken_away_is_placed_and_cannot_be_had(recommender):
    documents = {"never": None, "i1": None, "new": {"title": "x"}}
    found = with_documents(begun(recommender).recommender, documents)
    assert found.catalog.items.ids.to_list()[-2:] == ["never", "new"]
    gone = np.flatnonzero(~found.catalog.available(now()))
    assert found.catalog.items.ids_of(gone) == ["i1", "never"]


def test_views_hold_the_last_that_was_said_and_forget_what_is_about_a_user():
    views = Views()
    for each in (
        record(RecordKind.USER, "ann", {"about": "x"}),
        record(RecordKind.TASTE, "ann", {"muted": ["i1"]}),
        record(RecordKind.TASTE, "bob", {"muted": ["i2"]}),
        record(RecordKind.TASTE, "bob", {"muted": ["i3"]}),
        record(RecordKind.RULE, "r", {"action": "hide", "items": ["i4"]}),
        record(RecordKind.RULE, "s", {"action": "hide", "items": ["i5"]}),
        record(RecordKind.RULE, "r", None),
        record(RecordKind.USER, "bob", None),
        forgotten("ann"),
    ):
        views.apply(each)
    assert views.tastes == {"bob": Taste(muted=("i3",))}
    assert views.users == {"bob": None}
    assert list(views.rules) == ["s"]
