from __future__ import annotations

import numpy as np
import pytest

from longtale.search.personal import PersonalSettings, ambiguity, taste

NAN = np.nan


def of(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_one_that_stands_out_leaves_nothing_open() -> None:
    found = ambiguity(of([9, 2, 1, 1], [4000, 2, 1, 1]), PersonalSettings())
    np.testing.assert_allclose(found, [0, 0], atol=1e-6)


def test_items_that_suit_alike_leave_all_open() -> None:
    assert ambiguity(of([3, 3, 3, 3]), PersonalSettings())[0] == pytest.approx(1)


def test_two_of_four_leave_half_open() -> None:
    assert ambiguity(of([9, 9, 1, 1]), PersonalSettings())[0] == pytest.approx(0.5)


def test_padding_is_no_candidate() -> None:
    padded = of([3, 3, NAN, NAN], [3, NAN, NAN, NAN], [NAN, NAN, NAN, NAN])
    np.testing.assert_allclose(ambiguity(padded, PersonalSettings()), [1, 0, 0], atol=1e-6)


def test_temperature_says_what_is_far_apart() -> None:
    apart = of([2, 1.5, 1])
    cold, warm = (ambiguity(apart, PersonalSettings(temperature=t))[0] for t in (0.05, 5))
    assert cold < 0.01 < 0.99 < warm


def test_taste_is_added_in_the_share_that_is_asked_for() -> None:
    relevance, liked = of([3, 3]), of([1, -1])
    settings = PersonalSettings(gamma=2.0)
    np.testing.assert_allclose(taste(relevance, liked, 1.0, settings), [[2, -2]])
    np.testing.assert_allclose(taste(relevance, liked, 0.25, settings), [[0.5, -0.5]])
    assert not taste(relevance, liked, 0.0, settings).any()
