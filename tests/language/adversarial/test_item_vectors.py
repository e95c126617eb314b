"""Item vectors that bear a change: APR against the formula and against plain BPR."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.errors import DataError
from longtale.language.adversarial.item_vectors import (
    APRSettings,
    Factors,
    bpr_slopes,
    harden_items,
    worst_change,
)

N_USERS, N_ITEMS, DIM = 40, 20, 6


def tribes() -> np.ndarray:
    """Two tribes, each with half of the items, of which each user chose most."""
    rng = np.random.default_rng(0)
    pairs = [
        (user, item)
        for user in range(N_USERS)
        for item in range(N_ITEMS)
        if user % 2 == item % 2 and rng.random() < 0.7
    ]
    return np.array(pairs, dtype=np.int32)


def start(seed: int = 1) -> Factors:
    return Factors.drawn(N_USERS, N_ITEMS, DIM, np.random.default_rng(seed))


def trained(**values: object) -> Factors:
    settings = APRSettings.parse({"epochs": 30, "n_plain": 5, "batch_size": 64, **values})
    return harden_items(start(), tribes(), settings, np.random.default_rng(2))


def n_right(factors: Factors) -> float:
    """Give the share of comparisons of the tribes' items that come out right."""
    scores = factors.users @ factors.items.T
    right = [
        scores[user, user % 2 :: 2][:, None] > scores[user, 1 - user % 2 :: 2][None]
        for user in range(N_USERS)
    ]
    return float(np.mean(right))


def test_slopes_equal_differences_of_the_loss() -> None:
    factors = Factors(*(10 * part.astype(np.float64) for part in (start().users, start().items)))
    triples = np.array([[0, 2, 5], [0, 5, 7], [3, 2, 0]], dtype=np.int32)
    _, slopes = bpr_slopes(factors, triples)
    step = 1e-5
    for part, slope in ((factors.users, slopes.users), (factors.items, slopes.items)):
        for row in (0, 2, 5, 9):
            part[row, 1] += step
            above, _ = bpr_slopes(factors, triples)
            part[row, 1] -= 2 * step
            below, _ = bpr_slopes(factors, triples)
            part[row, 1] += step
            assert slope[row, 1] == pytest.approx((above - below) / (2 * step), abs=1e-6)


def test_the_worst_change_has_the_asked_length_and_is_worse_than_chance() -> None:
    factors = trained(strength=0)
    users, items = tribes().T
    triples = np.column_stack([users, items, (items + 1) % N_ITEMS])
    loss, slopes = bpr_slopes(factors, triples)
    worst = worst_change(slopes.items, 0.3)
    np.testing.assert_allclose(np.linalg.norm(worst, axis=1), 0.3, rtol=1e-5)
    drawn = worst_change(np.random.default_rng(0).normal(size=worst.shape).astype("f4"), 0.3)
    under = [
        bpr_slopes(Factors(factors.users, factors.items + each), triples)[0]
        for each in (worst, drawn)
    ]
    assert under[0] > max(under[1], loss)


def test_both_trainings_tell_the_tribes_apart() -> None:
    assert n_right(trained(strength=0)) > 0.99
    assert n_right(trained(epsilon=0.5)) > 0.99


def test_hardened_items_bear_a_change_of_their_own_length_better_than_plain_ones() -> None:
    users, items = tribes().T
    triples = np.column_stack([users, items, (items + 1) % N_ITEMS])
    right = []
    for factors in (trained(strength=0), trained(epsilon=2.0)):
        length = 0.9 * np.linalg.norm(factors.items, axis=1).mean()
        change = worst_change(bpr_slopes(factors, triples)[1].items, length)
        right.append(n_right(Factors(factors.users, factors.items + change)))
    assert right[1] > right[0] + 0.05


def test_fixed_profiles_stay_and_the_start_is_left_as_it_was() -> None:
    begin, settings = start(), APRSettings(learn_users=False)
    kept = begin.items.copy()
    found = harden_items(begin, tribes(), settings, np.random.default_rng(0))
    np.testing.assert_array_equal(found.users, begin.users)
    np.testing.assert_array_equal(begin.items, kept)
    assert np.abs(found.items - kept).max() > 0.01


def test_without_choices_nothing_can_be_ranked() -> None:
    with pytest.raises(DataError, match="0 choices among 20 items"):
        harden_items(start(), tribes()[:0], APRSettings(), np.random.default_rng(0))
