from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from longtale.arrays import (
    compact,
    largest,
    offsets_of,
    segment_positions,
    segment_rows,
    top_k,
    unit_rows,
)
from longtale.seeds import generator

NAN = float("nan")
RAGGED = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=8)
# Few different values, so that ties are common.
VALUES = st.sampled_from([NAN, -np.inf, -1.0, 0.0, 0.5, 2.0, np.inf])
SCORES = arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(1, 8)), elements=VALUES)


def test_offsets_of_no_segments_is_one_zero():
    assert offsets_of(np.array([], dtype=np.int64)).tolist() == [0]


@given(RAGGED)
def test_segment_rows_name_the_list_of_each_element(lists):
    offsets = offsets_of(np.array([len(one) for one in lists]))
    expected = [row for row, one in enumerate(lists) for _ in one]
    assert segment_rows(offsets).tolist() == expected


@given(RAGGED, st.data())
def test_segment_positions_give_the_chosen_lists_in_order(lists, data):
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=6))
    flat = np.array([value for one in lists for value in one], dtype=np.int64)
    offsets = offsets_of(np.array([len(one) for one in lists]))
    positions = segment_positions(offsets, np.array(chosen, dtype=np.int64))
    assert flat[positions].tolist() == [value for row in chosen for value in lists[row]]


def test_unit_rows_have_length_one_and_zero_rows_stay():
    rows = unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert rows.dtype == np.float32


@given(SCORES, st.integers(1, 10))
def test_top_k_equals_a_stable_sort_of_what_can_be_chosen(scores, k):
    items, values = top_k(scores, k)
    assert items.shape == values.shape == (len(scores), min(k, scores.shape[1]))
    for row, given_scores in enumerate(scores):
        usable = [i for i, score in enumerate(given_scores) if score > -np.inf]
        best = sorted(usable, key=lambda i: -given_scores[i])[:k]
        n_padded = items.shape[1] - len(best)
        assert items[row].tolist() == best + [-1] * n_padded
        np.testing.assert_array_equal(values[row], [*given_scores[best], *[NAN] * n_padded])


@pytest.mark.parametrize("k", [1, 10, 40, 3000])
@pytest.mark.parametrize("n_different", [2, 50, 100_000])
def test_top_k_of_a_long_row_equals_a_stable_sort(k, n_different):
    rng = np.random.default_rng(n_different)
    scores = rng.integers(0, n_different, (4, 3001)).astype(np.float32)
    scores[1, 20:] = 0
    scores[2, rng.random(3001) < 0.5] = NAN
    items, _ = top_k(scores, k)
    for row, given_scores in zip(items, scores, strict=True):
        best = np.argsort(-given_scores, kind="stable")  # NaN goes to the end
        n_usable = np.count_nonzero(~np.isnan(given_scores))
        assert row[row >= 0].tolist() == best[: min(k, n_usable)].tolist()


def test_top_k_prefers_the_lower_column_among_equals():
    scores = np.tile(np.array([1, 2], dtype=np.float32), (1, 500))
    items, _ = top_k(scores, 600)
    assert items[0].tolist() == [*range(1, 1000, 2), *range(0, 200, 2)]


@pytest.mark.parametrize("k", [1, 3, 7])
def test_top_k_is_never_wider_than_the_catalogue(k):
    items, _ = top_k(np.zeros((2, 3), dtype=np.float32), k)
    assert items.shape == (2, min(k, 3))


def test_compact_keeps_the_matrix_and_halves_its_positions():
    wide = sparse.csr_array(np.eye(3, dtype=np.float32))
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    narrow = compact(wide)
    assert narrow.indices.dtype == narrow.indptr.dtype == np.int32
    assert (narrow.toarray() == wide.toarray()).all()


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 10**6))
def test_largest_finds_what_sorting_finds(n, k, seed):
    values = generator(seed, "largest").standard_normal(n).astype(np.float32)
    values[::7] = -np.inf
    found = largest(values, k)
    wanted = np.sort(values[np.isfinite(values)])[::-1][:k]
    np.testing.assert_array_equal(np.sort(values[found])[::-1], wanted)
