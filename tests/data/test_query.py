from __future__ import annotations

import numpy as np
import pytest

from longtale.data.interactions import Histories
from longtale.data.query import Queries


def full() -> Queries:
    return Queries(
        user_rows=np.array([4, -1, 2], dtype=np.int32),
        histories=Histories.of([[1, 2], [], [3]]),
        text_vectors=np.eye(3, dtype=np.float32),
        times=np.array([10, 20, 30]),
    )


def assert_same(left: Queries, right: Queries) -> None:
    np.testing.assert_array_equal(left.user_rows, right.user_rows)
    np.testing.assert_array_equal(left.histories.items, right.histories.items)
    np.testing.assert_array_equal(left.histories.offsets, right.histories.offsets)
    np.testing.assert_array_equal(left.text_vectors, right.text_vectors)
    np.testing.assert_array_equal(left.times, right.times)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_slicing_and_concatenating_round_trips(at):
    parts = [full().take(np.arange(3)[:at]), full().take(np.arange(3)[at:])]
    assert_same(Queries.concatenated(parts), full())


@pytest.mark.parametrize("at", [0, 1, 2])
def test_anonymous_queries_round_trip(at):
    queries = Queries.of([[5], [1, 1]])
    parts = [queries.take(np.arange(2)[:at]), queries.take(np.arange(2)[at:])]
    assert_same(Queries.concatenated(parts), queries)


def test_take_reorders_every_part():
    taken = full().take(np.array([2, 0]))
    assert taken.user_rows.tolist() == [2, 4]
    assert taken.histories.items.tolist() == [3, 1, 2]
    assert taken.text_vectors.argmax(axis=1).tolist() == [2, 0]
    assert taken.times.tolist() == [30, 10]


def test_queries_of_items_are_anonymous():
    queries = Queries.of([[7], []])
    assert queries.user_rows.tolist() == [-1, -1]
    assert len(queries) == 2
