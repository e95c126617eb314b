from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.explain.grounds import (
    HALF_LIFE,
    LEAST_WEIGHT,
    N_EVIDENCE,
    N_REASONS,
    credits,
    grounds,
    latest,
    strongest,
)

SOURCES = ("popular", "ease", "item_knn", "als", "semantic", "sequence_linear")


@given(st.lists(st.floats(-5, 5), min_size=len(SOURCES), max_size=len(SOURCES)))
def test_reasons_are_shares_of_what_was_added_the_weightiest_first(shares: list[float]) -> None:
    found = grounds(SOURCES, shares, has_history=True, has_words=False)
    weights = [ground.weight for ground in found]
    added = sum(share for share in shares if share > 0)
    assert 1 <= len(found) <= N_REASONS
    assert weights == sorted(weights, reverse=True)
    for ground in found:
        assert all(shares[source] > 0 for source in ground.sources)
        own = sum(shares[source] for source in ground.sources)
        assert ground.weight == pytest.approx(own / added if added > 0 else 0.0)
    assert all(weight >= LEAST_WEIGHT for weight in weights[1:])
    assert len({ground.code for ground in found}) == len(found)


def test_sources_that_say_the_same_are_one_reason() -> None:
    (together,) = grounds(["ease", "item_knn"], [1.0, 2.0], has_history=True, has_words=False)
    assert (together.code, together.weight, together.sources) == ("chosen_together", 1.0, (0, 1))


def test_what_nothing_spoke_for_says_so() -> None:
    (nothing,) = grounds(SOURCES, [0.0, -1, 0, 0, -2, 0], has_history=True, has_words=False)
    assert (nothing.code, nothing.weight) == ("fills_the_list", 0.0)


def test_without_a_history_behaviour_is_that_of_the_words() -> None:
    found = grounds(["als", "semantic"], [2.0, 1.0], has_history=False, has_words=True)
    assert [ground.code for ground in found] == ["goes_with_your_words", "matches_your_words"]


def test_the_last_items_come_once_each_the_latest_first() -> None:
    history = np.array([1, 2, 3, 2, 4], dtype=np.int32)
    assert latest(history).tolist() == [4, 2, 3, 1]
    assert latest(history, 2).tolist() == [4, 2]
    assert latest(history[:0]).tolist() == []


def test_credit_forgets_and_never_counts_what_speaks_against() -> None:
    spoken = np.ones((7, 2), dtype=np.float32)
    spoken[1] = -1
    spoken[:, 1] = 0
    found = credits({4: spoken})[4]
    assert found[1, 0] == 0
    assert found[:, 0].sum() == pytest.approx(1)
    assert found[int(HALF_LIFE), 0] / found[0, 0] == pytest.approx(0.5)
    assert not found[:, 1].any()


def test_only_what_speaks_nearly_as_much_as_the_strongest_is_cited() -> None:
    assert strongest(np.array([0.2, 0.49, 1.0])) == [2]
    assert strongest(np.array([0.5, 0.9, 1.0])) == [2, 1]
    assert strongest(np.array([0.0, -1.0])) == []
    assert len(strongest(np.ones(9))) == N_EVIDENCE
