"""Limits and quotas: kept wherever they can be, and the slate is full in any case."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.rank.limits import Limits, LimitSettings

N = 7
CODES = arrays("i4", (N, 1), elements=st.integers(-1, 2))
NEW = arrays("?", (N,))


def slate(codes: np.ndarray, is_new: np.ndarray, k: int, **rules: int) -> list[int]:
    items = np.arange(len(codes), dtype=np.int32)[None]
    candidates = Candidates(items, -items.astype(np.float32))
    limits = Limits.of(codes, is_new, LimitSettings(**rules))
    return limits.rerank(Queries.of([[]]), candidates, k).items[0].tolist()


def keeps(codes: np.ndarray, items: tuple[int, ...], most: int) -> bool:
    own = codes[list(items)]
    return bool((np.bincount(own[own >= 0], minlength=1) <= most).all())


BRANDS = np.int32([[0], [0], [0], [1], [1], [-1], [-1]])
NONE_NEW = np.zeros(N, dtype=np.bool_)


def test_third_item_of_a_brand_makes_room_for_the_next_best():
    assert slate(BRANDS, NONE_NEW, 4, most_per_group=2) == [0, 1, 3, 4]


def test_items_of_no_group_are_not_limited():
    assert slate(BRANDS, NONE_NEW, 4, most_per_group=1) == [0, 3, 5, 6]


def test_slate_is_filled_with_the_best_refused_where_the_limit_leaves_too_few():
    assert slate(BRANDS, NONE_NEW, 6, most_per_group=1) == [0, 1, 2, 3, 5, 6]


def test_item_of_two_groups_counts_in_both():
    codes = np.int32([[0, 1], [1, -1], [0, -1], [2, -1]])
    assert slate(codes, NONE_NEW[:4], 2, most_per_group=1) == [0, 3]


def test_quota_costs_the_last_places():
    is_new = np.arange(N) >= 5
    assert slate(BRANDS, is_new, 4, least_new=1) == [0, 1, 2, 5]


def test_new_items_that_come_by_themselves_fulfil_the_quota():
    assert slate(BRANDS, np.arange(N) == 1, 3, least_new=1) == [0, 1, 2]


def test_quota_is_not_blocked_by_better_items_of_the_same_group():
    codes = np.zeros((3, 1), dtype=np.int32)
    assert slate(codes, np.arange(3) == 2, 1, most_per_group=1, least_new=1) == [2]


@given(CODES, NEW, st.integers(1, N), st.integers(1, 3), st.integers(0, 3))
def test_slate_is_full_and_in_the_old_order(codes, is_new, k, most, least):
    found = slate(codes, is_new, k, most_per_group=most, least_new=least)
    assert len(found) == k
    assert found == sorted(found)


@given(CODES, st.integers(1, N), st.integers(1, 3))
def test_limit_is_kept_by_the_best_set_wherever_any_set_keeps_it(codes, k, most):
    found = slate(codes, NONE_NEW, k, most_per_group=most)
    keeping = [items for items in combinations(range(N), k) if keeps(codes, items, most)]
    if keeping:
        assert tuple(found) == min(keeping, key=sum)


@given(CODES, NEW, st.integers(1, N), st.integers(1, 3), st.integers(0, 3))
def test_quota_is_kept_as_far_as_new_items_within_the_limit_go(codes, is_new, k, most, least):
    found = slate(codes, is_new, k, most_per_group=most, least_new=least)
    new = np.flatnonzero(is_new).tolist()
    reachable = max(
        n for n in range(len(new) + 1) if any(keeps(codes, c, most) for c in combinations(new, n))
    )
    assert is_new[found].sum() >= min(least, k, reachable)


def test_columns_are_limited_at_once_each_by_its_own_number():
    brands = np.int32([[0], [0], [1], [1], [2], [3]])
    shops = np.int32([[0], [1], [0], [0], [0], [1]])
    items = np.arange(6, dtype=np.int32)[None]
    candidates = Candidates(items, -items.astype(np.float32))
    is_new = np.zeros(6, dtype=np.bool_)
    limits = Limits.by_column([(brands, 1), (shops, 2)], is_new, LimitSettings())
    assert limits.rerank(Queries.of([[]]), candidates, 3).items.tolist() == [[0, 2, 5]]


def test_column_without_a_limit_limits_nothing():
    items = np.arange(N, dtype=np.int32)[None]
    candidates = Candidates(items, -items.astype(np.float32))
    limits = Limits.by_column([(BRANDS, None)], NONE_NEW, LimitSettings())
    assert limits.rerank(Queries.of([[]]), candidates, 3).items.tolist() == [[0, 1, 2]]
