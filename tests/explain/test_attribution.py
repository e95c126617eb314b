from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from tests.explain.worlds import Adding, adding

from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.explain.attribution import has_words, leave_one_out, sampled_shapley, without


def rows(*items: int) -> np.ndarray:
    return np.array(items, dtype=np.int32)


def world() -> Adding:
    return adding(6, {(0, 3): 2.0, (1, 3): 1.0, (2, 3): -1.5}, row=3)


def ranked_by_two(coalitions: np.ndarray) -> np.ndarray:
    """A game that is no sum: pairs are worth more than their parts, and 2 spoils 0."""
    first, second, third = coalitions.T.astype(float)
    return 1.0 * first + 2 * first * second - 0.5 * first * third + 3 * third


def exact(value: object, n_players: int) -> np.ndarray:
    """Average over all orders, one by one."""
    added = np.zeros(n_players)
    orders = list(permutations(range(n_players)))
    for order in orders:
        here = np.zeros((1, n_players), dtype=bool)
        for player in order:
            before = value(here)[0]
            here[0, player] = True
            added[player] += value(here)[0] - before
    return added / len(orders)


def test_sampled_shapley_values_are_near_those_of_all_orders(rng: np.random.Generator) -> None:
    found = sampled_shapley(ranked_by_two, 3, n_permutations=4000, rng=rng)
    gaps = np.abs(found.values - exact(ranked_by_two, 3))
    assert np.all(gaps <= 4 * found.errors + 1e-9)
    assert np.all(found.errors < 0.05)


def test_sampled_shapley_values_sum_to_the_worth_of_all(rng: np.random.Generator) -> None:
    found = sampled_shapley(ranked_by_two, 3, n_permutations=7, rng=rng)
    assert found.values.sum() == pytest.approx(5.5)


def test_of_a_sum_each_order_gives_each_player_their_own_part(rng: np.random.Generator) -> None:
    parts = np.array([1.0, -2.0, 0.5, 0.0])
    found = sampled_shapley(lambda c: c @ parts, 4, n_permutations=5, rng=rng)
    np.testing.assert_allclose(found.values, parts, atol=1e-12)
    np.testing.assert_allclose(found.errors, 0, atol=1e-12)


def test_each_coalition_is_asked_about_once(rng: np.random.Generator) -> None:
    asked: list[np.ndarray] = []

    def value(coalitions: np.ndarray) -> np.ndarray:
        asked.append(coalitions)
        return coalitions.sum(axis=1)

    sampled_shapley(value, 3, n_permutations=50, rng=rng)
    assert len(asked) == 1
    assert len(np.unique(asked[0], axis=0)) == len(asked[0]) == 8


def test_the_standard_error_falls_with_the_root_of_the_orders(rng: np.random.Generator) -> None:
    few, many = (
        sampled_shapley(ranked_by_two, 3, n_permutations=n, rng=rng).errors for n in (100, 10_000)
    )
    np.testing.assert_allclose(few / many, 10, rtol=0.2)


def test_items_that_are_left_out_go_with_all_their_events() -> None:
    times = np.arange(4)
    histories = replace(Histories.of([[5, 6, 5, 7]]), times=times)
    queries = replace(Queries.of([[]]), histories=histories)
    found = without(queries, [rows(), rows(5), rows(6, 7)]).histories
    assert found.items.tolist() == [5, 6, 5, 7, 6, 7, 5, 5]
    assert found.offsets.tolist() == [0, 4, 6, 8]
    assert found.times.tolist() == [0, 1, 2, 3, 1, 3, 0, 2]


def test_an_item_does_what_changes_when_it_is_not_there() -> None:
    found = leave_one_out(world().stand, Queries.of([[0, 1, 2]]), rows(0, 1, 2))
    # Of what is added to one of six items, a sixth is added to their mean.
    np.testing.assert_allclose(found.drops, 5 / 6 * np.array([2.0, 1.0, -1.5]), atol=1e-6)
    np.testing.assert_allclose(found.drops_by_source[1], found.drops, atol=1e-6)
    np.testing.assert_allclose(found.drops_by_source[0], 0, atol=1e-6)


def test_the_history_and_the_words_are_asked_about_in_one_batch() -> None:
    asked: list[int] = []
    said = replace(Queries.of([[0, 1]]), text_vectors=np.ones((1, 2), dtype=np.float32))
    speaking = replace(world(), words=np.float32([0, 0, 0, 6, 0, 0]))

    def stand(queries: Queries) -> object:
        asked.append(len(queries))
        return speaking.stand(queries)

    found = leave_one_out(stand, said, rows(0, 1))
    assert asked == [4]
    assert found.drops[-1] == pytest.approx(5)
    assert has_words(said)


def test_without_words_there_is_no_column_for_them() -> None:
    silent = replace(Queries.of([[0]]), text_vectors=np.zeros((1, 2), dtype=np.float32))
    assert not has_words(silent)
    assert len(leave_one_out(world().stand, silent, rows(0)).drops) == 1
