"""The dial: its formula, its two ends, and that what it adds depends on nothing but the count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.errors import SettingsError
from longtale.rank.tail import LongTail, LongTailSettings
from longtale.seeds import generator

COUNTS = np.array([200, 90, 40, 12, 12, 5, 3, 1, 0, 0])


def drawn_scores(seed: int = 0) -> np.ndarray:
    scores = generator(seed, "tail").normal(size=(6, len(COUNTS))).astype(np.float32)
    scores[1, 3], scores[2, 4], scores[3] = np.nan, -np.inf, np.nan
    return scores


def dial(strength: float, **changed: float) -> LongTail:
    return LongTail.fit(COUNTS, LongTailSettings(strength=strength, **changed))


def test_contribution_equals_the_formula_written_out():
    scores = drawn_scores()
    settings = LongTailSettings(strength=0.4, reach=3, slope=1.5, tail_share=0.7)
    found = LongTail.fit(COUNTS, settings).contribution(scores)
    border = np.log1p(np.sort(COUNTS)[int(0.7 * 9)])
    for user, row in enumerate(scores):
        known = np.isfinite(row)
        deviation = row[known].std() if known.any() else 0
        for item, count in enumerate(COUNTS):
            propensity = 1 / (1 + np.exp(-1.5 * (np.log1p(count) - border)))
            lift = 0.4 * 3 * deviation * -np.log(propensity) if known[item] else 0
            assert found[user, item] == pytest.approx(lift, rel=1e-4, abs=1e-6)


def test_dial_at_zero_adds_nothing():
    assert not dial(0).contribution(drawn_scores()).any()


def test_turned_dial_is_the_one_made_with_that_strength():
    turned = dial(0.1, reach=3).turned(0.7)
    assert turned.settings == LongTailSettings(strength=0.7, reach=3)
    scores = drawn_scores()
    np.testing.assert_array_equal(
        turned.contribution(scores), dial(0.7, reach=3).contribution(scores)
    )


def test_dial_cannot_be_turned_beyond_its_end():
    with pytest.raises(SettingsError, match="strength"):
        dial(0.1).turned(1.1)


def test_only_the_best_that_can_come_are_lifted():
    scores = np.arange(10, dtype=np.float32)[None]  # the untouched items score best
    exclude = np.arange(10)[None] == 9
    shallow = dial(1, depth=3)
    assert np.flatnonzero(shallow.contribution(scores)[0]).tolist() == [7, 8, 9]
    found = shallow.contribution(scores, exclude=exclude)
    assert np.flatnonzero(found[0]).tolist() == [6, 7, 8]
    np.testing.assert_array_equal(found[0, 7:9], dial(1).contribution(scores)[0, 7:9])


def test_what_cannot_be_scored_is_not_lifted():
    scores = drawn_scores()
    assert not dial(1).contribution(scores)[~np.isfinite(scores)].any()


def test_scores_stay_as_they_were():
    scores = drawn_scores()
    before = scores.copy()
    dial(1).contribution(scores)
    np.testing.assert_array_equal(scores, before)


@given(st.integers(0, 2**20), st.floats(0.1, 50), st.floats(-100, 100))
def test_scale_and_shift_of_the_scores_change_no_order(seed, scale, shift):
    scores = generator(seed, "tail").normal(size=(1, len(COUNTS)))
    orders = [
        np.argsort(-(s + dial(0.5).contribution(s.astype(np.float32))))
        for s in (scores, scores * scale + shift)
    ]
    np.testing.assert_array_equal(*orders)


@given(st.integers(0, 2**20), st.floats(0, 0.9))
def test_turning_the_dial_up_never_makes_the_best_items_better_known(seed, strength):
    scores = generator(seed, "tail").normal(size=(20, len(COUNTS))).astype(np.float32)

    def known(turned: LongTail) -> float:
        best = Candidates.best(scores + turned.contribution(scores), 3).items
        return float(turned.lift[best].sum(axis=1).mean())

    assert known(dial(strength + 0.1)) >= known(dial(strength)) - 1e-4


def test_items_of_equal_count_keep_their_order():
    scores = drawn_scores()[[0, 4, 5]]
    lifted = scores + dial(1).contribution(scores)
    np.testing.assert_array_equal(lifted[:, 3] > lifted[:, 4], scores[:, 3] > scores[:, 4])
    np.testing.assert_array_equal(lifted[:, 8] > lifted[:, 9], scores[:, 8] > scores[:, 9])


def test_behind_a_ranker_the_full_dial_goes_by_the_count():
    candidates = Candidates(np.int32([[0, 1, 8, 3]]), np.float32([[4, 3, 2, 1]]))
    slate = dial(1).rerank(Queries.of([[]]), candidates, 2)
    assert slate.items.tolist() == [[8, 3]]


def test_empty_catalogue_has_a_dial():
    empty = LongTail.fit(np.array([], dtype=np.int64), LongTailSettings(strength=1))
    assert empty.contribution(np.empty((2, 0), dtype=np.float32)).shape == (2, 0)
