"""Windows, buckets and what is drawn to compare with."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from longtale.data.interactions import Histories
from longtale.models.sequence.batches import (
    Batch,
    Negatives,
    Windows,
    by_length,
    epoch,
    padded,
)


def histories(rng, lengths):
    return Histories.of([rng.integers(50, size=length).tolist() for length in lengths])


def pairs(histories):
    """Give each event with the next of the same user, slowly."""
    found = []
    for user in range(len(histories)):
        items = histories.take(np.array([user])).items.tolist()
        found += list(pairwise(items))
    return sorted(found)


def test_each_event_but_the_first_is_a_target_once(rng):
    liked = histories(rng, [7, 1, 0, 3, 12, 5])
    windows = Windows.of(liked, 4)
    found = []
    for chosen in epoch(windows, 2, rng):
        batch = Batch.of(windows, chosen)
        read = batch.items.reshape(-1)[batch.real].tolist()
        found += list(zip(read, batch.targets.tolist(), strict=True))
    assert sorted(found) == pairs(liked)


def test_windows_are_cut_from_the_end_and_never_too_long():
    windows = Windows.of(Histories.of([[1, 2, 3, 4, 5, 6]]), 3)
    cut = [
        windows.items[start : start + n].tolist()
        for start, n in zip(windows.starts, windows.counts, strict=True)
    ]
    assert cut == [[3, 4, 5, 6], [1, 2, 3]]


def test_batch_is_padded_at_the_right():
    windows = Windows.of(Histories.of([[5, 6, 7], [8, 9]]), 10)
    batch = Batch.of(windows, np.array([1, 0]))
    assert batch.items.tolist() == [[8, 0], [5, 6]]
    assert batch.lengths.tolist() == [1, 2]
    assert batch.real.tolist() == [0, 2, 3]
    assert batch.targets.tolist() == [9, 6, 7]


def test_epoch_gives_each_window_once_and_another_order_each_time(rng):
    windows = Windows.of(histories(rng, rng.integers(2, 30, size=500)), 10)
    first, second = (np.concatenate(list(epoch(windows, 4, rng))) for _ in range(2))
    np.testing.assert_array_equal(np.sort(first), np.arange(len(windows)))
    np.testing.assert_array_equal(np.sort(second), np.arange(len(windows)))
    assert not np.array_equal(first, second)


def test_padding_stays_under_a_tenth(rng):
    lengths = 2 + rng.geometric(0.1, size=3000)
    windows = Windows.of(histories(rng, lengths), 50)
    batches = [Batch.of(windows, chosen) for chosen in epoch(windows, 32, rng)]
    assert sum(len(b.real) for b in batches) > 0.9 * sum(b.items.size for b in batches)


def test_drawn_as_often_as_log_q_says(rng):
    counts = np.array([0, 40, 10, 0, 50])
    targets = np.repeat(np.arange(5), counts)
    negatives = Negatives.of(counts, 40_000, 0.25)
    drawn = np.bincount(negatives.draw(targets, rng), minlength=5) / negatives.n
    known = counts > 0
    np.testing.assert_allclose(drawn[known], np.exp(negatives.log_q[known]), rtol=0.03)
    assert not drawn[~known].any()


def test_padded_keeps_the_last_events():
    items, lengths = padded(Histories.of([[1, 2, 3], [4]]), 2)
    assert items.tolist() == [[2, 3], [4, 0]]
    assert lengths.tolist() == [2, 1]


def test_requests_of_like_length_stand_together():
    groups = by_length(np.array([5, 1, 4, 1, 9]), 2)
    assert [group.tolist() for group in groups] == [[1, 3], [2, 0], [4]]
