"""Pairs of items that go together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from longtale.language.contrastive.pairs import CoInteractions, next_items

CHOSEN = sparse.csr_array(
    np.array(
        [
            [1, 1, 0, 1, 0],
            [1, 1, 0, 1, 0],
            [0, 0, 1, 1, 0],
            [0, 0, 1, 1, 0],
            [0, 0, 0, 1, 0],
        ],
        dtype=np.float32,
    )
)


def test_weights_are_the_cosine_of_who_chose_both() -> None:
    weights = CoInteractions.of(CHOSEN, 9).weights.toarray()
    dense = CHOSEN.toarray()
    counts = np.maximum(dense.sum(axis=0), 1)
    expected = (dense.T @ dense) / np.sqrt(counts[:, None] * counts[None])
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_only_the_best_neighbours_are_kept() -> None:
    weights = CoInteractions.of(CHOSEN, 1).weights.toarray()
    assert (weights > 0).sum(axis=1).tolist() == [1, 1, 1, 1, 0]
    assert weights[0].argmax() == 1  # not 3, which everybody chose
    assert weights[2].argmax() == 3


def test_each_item_comes_first_as_often_as_any_other(rng: np.random.Generator) -> None:
    together = CoInteractions.of(CHOSEN, 9)
    pairs = together.draw(4000, rng)
    assert np.bincount(pairs[:, 0], minlength=5).tolist() == [1000, 1000, 1000, 1000, 0]
    partners = np.bincount(pairs[pairs[:, 0] == 0, 1], minlength=5) / 1000
    row = together.weights.toarray()[0]
    np.testing.assert_allclose(partners, row / row.sum(), atol=0.06)


def test_nothing_is_drawn_where_nothing_goes_together(rng: np.random.Generator) -> None:
    alone = CoInteractions.of(sparse.csr_array(np.eye(3, dtype=np.float32)), 9)
    assert alone.draw(5, rng).shape == (0, 2)


def test_what_one_person_chose_together_has_met_and_so_has_an_item_itself() -> None:
    together = CoInteractions.of(CHOSEN, 1)
    met = together.met(np.array([0, 2], np.int32), np.array([0, 1, 2, 3], np.int32))
    assert met.tolist() == [[True, True, False, True], [False, False, True, True]]


def test_events_are_drawn_that_have_one_before_them(rng: np.random.Generator) -> None:
    offsets = np.array([0, 3, 3, 4, 6])
    assert sorted(next_items(offsets, 6, rng).tolist()) == [1, 1, 2, 2, 5, 5]
    assert len(next_items(offsets, 2, rng)) == 2
    assert not len(next_items(np.array([0, 1, 2]), 2, rng))


@pytest.mark.parametrize("n", [0, 1, 7])
def test_as_many_pairs_are_drawn_as_asked_for(n: int, rng: np.random.Generator) -> None:
    assert len(CoInteractions.of(CHOSEN, 3).draw(n, rng)) == n
