from __future__ import annotations

import numpy as np
import pytest

from longtale.data.synthetic import (
    TOPICS,
    checkerboard,
    cold_twin,
    dataset_of,
    generated,
    two_tribes,
)
from longtale.seeds import generator


@pytest.fixture
def rng() -> np.random.Generator:
    return generator(0, "synthetic")


def test_a_catalogue_has_a_row_for_every_title_also_untouched():
    dataset = dataset_of([[0]], titles=["one", "two"])
    assert dataset.catalog.titles() == ["one", "two"]
    assert dataset.item_counts.tolist() == [1, 0]


def test_dismissed_items_are_seen_but_not_liked():
    dataset = dataset_of([[0]], dismissed=[[2]])
    assert dataset.n_items == 3
    assert dataset.seen(np.array([0])).indices.tolist() == [0, 2]
    assert dataset.item_counts.tolist() == [1, 0, 0]


def test_a_checkerboard_leaves_each_user_the_one_item_of_their_colour():
    dataset = checkerboard(10, 12)
    for user, row in enumerate(dataset.matrix().toarray()):
        unmet = np.flatnonzero(row == 0)
        own = unmet[unmet % 2 == user % 2]
        assert own.tolist() == [user % 2 + 2 * (user // 2)]
        assert (row[(user + 1) % 2 :: 2] == 0).all()


def test_tribes_mostly_like_their_own_half(rng):
    interest = two_tribes(rng).matrix().toarray()
    own = interest[:20, :10].sum() + interest[20:, 10:].sum()
    assert own / interest.sum() > 0.75


def test_the_cold_twin_is_untouched_and_reads_like_a_popular_item(rng):
    dataset = cold_twin(rng)
    titles = dataset.catalog.titles()
    assert dataset.item_counts[-1] == 0
    assert dataset.item_counts[0] == dataset.item_counts.max()
    assert [row for row, title in enumerate(titles) if title == titles[-1]] == [0, 19]


def test_the_twin_is_never_the_last_event(rng):
    histories = cold_twin(rng).interactions.histories
    assert 0 not in histories.last(1).items


def test_one_seed_makes_one_world():
    worlds = [generated(generator(3, "world"), 50, 20, 300).fingerprint for _ in range(2)]
    assert worlds[0] == worlds[1]
    assert worlds[0] != generated(generator(4, "world"), 50, 20, 300).fingerprint


@pytest.mark.parametrize("with_times", [True, False])
def test_a_generated_world_has_the_size_asked_for(rng, with_times):
    dataset = generated(rng, 50, 20, 300, with_times=with_times)
    assert (dataset.n_users, dataset.n_items, len(dataset.interactions)) == (50, 20, 300)
    assert dataset.interactions.histories.lengths.min() >= 1
    assert dataset.has_times == with_times


def test_generated_histories_are_oldest_first(rng):
    events = generated(rng, 50, 20, 1000).interactions
    assert (np.diff(events.times)[np.diff(events.users) == 0] >= 0).all()


def test_generated_popularity_has_a_head_and_a_tail(rng):
    counts = np.sort(generated(rng, 300, 400, 20_000).item_counts)[::-1]
    assert counts[:40].sum() > 0.4 * counts.sum()


def test_generated_titles_are_made_of_the_words_of_their_topic(rng):
    frame = generated(rng, 5, 40, 20).catalog.frame
    words = {topic[0]: set(topic) for topic in TOPICS}
    for title, genre in frame.iter_rows():
        assert len(words[genre] & set(title.split())) == 3


@pytest.mark.parametrize("size", [(0, 3, 0), (5, 3, 2), (1, 1, 4)])
def test_a_tiny_world_can_be_generated(rng, size):
    assert len(generated(rng, *size).interactions) == size[2]
