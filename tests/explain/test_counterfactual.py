from __future__ import annotations

import numpy as np
from tests.explain.worlds import adding

from longtale.data.query import Queries
from longtale.explain.attribution import leave_one_out, without
from longtale.explain.counterfactual import MOST, Needed, needed

ITEM, RIVAL = 8, 9


def found(pairs: dict[tuple[int, int], float], history: list[int], *, n: int) -> Needed | None:
    world = adding(10, {**pairs, (history[0], RIVAL): 0.5}, ITEM)
    queries = Queries.of([history])
    items = np.array(history, dtype=np.int32)
    left_out = leave_one_out(world.stand, queries, items)
    result = needed(world.stand, queries, items, left_out, n=n)
    if result is not None:  # nothing is given that was not asked
        rank = world.stand(without(queries, [result.items])).ranks[0]
        assert rank == result.rank > n
    return result


def test_one_item_that_holds_all_is_enough() -> None:
    pairs = {(1, ITEM): 1.0, (0, ITEM): -0.1, (2, ITEM): 0.05}
    result = found(pairs, [0, 1, 2], n=1)
    assert result is not None
    assert result.items.tolist() == [1]


def test_two_that_stand_in_for_each_other_are_both_needed() -> None:
    pairs = {(1, ITEM): 1.0, (2, ITEM): 0.9, (3, ITEM): 0.01}
    result = found(pairs, [0, 1, 2, 3], n=1)
    assert result is not None
    assert sorted(result.items.tolist()) == [1, 2]


def test_where_three_do_not_suffice_nothing_is_claimed() -> None:
    pairs = {(j, ITEM): 1.0 for j in range(1, 6)}
    assert found(pairs, [0, 1, 2, 3, 4, 5], n=1) is None
    three = found({(j, ITEM): 1.0 for j in range(1, 1 + MOST)}, [0, 1, 2, 3], n=1)
    assert three is not None
    assert sorted(three.items.tolist()) == [1, 2, 3]


def test_what_is_not_in_the_slate_needs_nothing_to_drop_out() -> None:
    assert found({(1, ITEM): 0.1}, [0, 1], n=1) is None


def test_without_a_history_nothing_can_be_missing() -> None:
    world = adding(3, {}, 0)
    nothing = np.array([], dtype=np.int32)
    queries = Queries.of([[]])
    left_out = leave_one_out(world.stand, queries, nothing)
    assert needed(world.stand, queries, nothing, left_out, n=1) is None
