import itertools

import numpy as np
import pytest

from longtale.data.event import DEFAULT_KINDS
from longtale.data.record import Record, RecordKind
from longtale.data.synthetic import dataset_of
from longtale.feedback.memory_store import MemoryStore
from longtale.serve.forgotten import forgotten
from longtale.serve.retraining import with_log

KINDS = {kind.name: kind for kind in DEFAULT_KINDS}
NUMBERS = itertools.count()


@pytest.fixture
def dataset():
    return dataset_of([[0, 1], [1, 2]])


@pytest.fixture
def store():
    return MemoryStore()


def keep(store, kind, subject, body):
    store.append([Record(kind, subject, body, f"r{next(NUMBERS)}", 0)])


def event(store, user, item, **more):
    body = {"kind": "click", "item": item, "time": 5_000_000_000_000_000, **more}
    keep(store, RecordKind.EVENT, user, body)


def history(dataset, user):
    found = dataset.histories(np.array([dataset.users.row(user)]))
    return dataset.items.ids_of(found.items)


def test_events_of_the_log_follow_those_of_the_tables(dataset, store):
    user, item = dataset.users.ids[0], dataset.items.ids[2]
    event(store, user, item)
    told, seq = with_log(dataset, store, KINDS)
    assert seq == 1
    assert history(told, user) == [*history(dataset, user), item]


def test_who_came_since_is_a_user(dataset, store):
    event(store, "newcomer", dataset.items.ids[0])
    told, _ = with_log(dataset, store, KINDS)
    assert history(told, "newcomer") == [dataset.items.ids[0]]


def test_items_of_the_log_can_be_chosen(dataset, store):
    keep(store, RecordKind.ITEM, "new item", {})
    event(store, "newcomer", "new item")
    told, seq = with_log(dataset, store, KINDS)
    assert seq == 2
    assert told.n_items == dataset.n_items + 1
    assert history(told, "newcomer") == ["new item"]


def test_an_item_that_was_taken_away_is_hidden(dataset, store):
    gone = dataset.items.ids[1]
    keep(store, RecordKind.ITEM, gone, None)
    told, _ = with_log(dataset, store, KINDS)
    assert not told.catalog.available(0)[told.items.row(gone)]
    assert told.catalog.available(0).sum() == told.n_items - 1


def test_events_on_items_nobody_knows_are_left_out(dataset, store):
    event(store, dataset.users.ids[0], "never heard of")
    told, _ = with_log(dataset, store, KINDS)
    assert len(told.interactions) == len(dataset.interactions)


def test_who_was_forgotten_is_forgotten_in_the_tables_too(dataset, store):
    user = dataset.users.ids[0]
    store.append([forgotten(user)])
    told, _ = with_log(dataset, store, KINDS)
    assert user not in told.users.ids.to_list()
    assert len(told.interactions) == len(dataset.interactions) - 2


def test_a_log_without_anything_changes_nothing(dataset, store):
    told, seq = with_log(dataset, store, KINDS)
    assert seq == 0
    assert len(told.interactions) == len(dataset.interactions)
    assert told.users.ids.to_list() == dataset.users.ids.to_list()
