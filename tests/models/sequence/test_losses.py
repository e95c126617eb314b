"""Losses against slow obvious references."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from longtale.models.sequence.losses import full_softmax, sampled_softmax  # noqa: E402

pytestmark = pytest.mark.torch


def drawn(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def test_sampled_softmax_equals_the_formula_position_by_position(rng):
    states, positives, negatives = drawn(rng, 5, 3), drawn(rng, 5, 3), drawn(rng, 4, 3)
    is_target = rng.random((5, 4)) < 0.3
    log_expected = drawn(rng, 4)
    losses = []
    for n in range(5):
        right = np.exp(states[n] @ positives[n])
        others = sum(
            np.exp(states[n] @ negatives[k]) / np.exp(log_expected[k])
            for k in range(4)
            if not is_target[n, k]
        )
        losses.append(-np.log(right / (right + others)))
    found = sampled_softmax(
        *map(torch.from_numpy, (states, positives, negatives)),
        is_target=torch.from_numpy(is_target),
        log_expected=torch.from_numpy(log_expected),
    )
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)


def test_sampled_softmax_without_any_negative_left_is_nothing(rng):
    states = torch.from_numpy(drawn(rng, 2, 3))
    is_target = torch.ones(2, 2, dtype=torch.bool)
    assert float(sampled_softmax(states, states, states, is_target=is_target)) == 0


def test_sampled_softmax_over_each_other_item_once_is_the_full_softmax(rng):
    states, items = drawn(rng, 6, 4), drawn(rng, 9, 4)
    targets = rng.integers(9, size=6)
    sampled = sampled_softmax(
        torch.from_numpy(states),
        torch.from_numpy(items[targets]),
        torch.from_numpy(items),
        is_target=torch.from_numpy(targets[:, None] == np.arange(9)),
    )
    full = full_softmax(*map(torch.from_numpy, (states, items, targets)))
    assert float(sampled) == pytest.approx(float(full), rel=1e-5)


def test_corrected_sample_estimates_the_sum_over_all_items(rng):
    states, items = drawn(rng, 1, 4), drawn(rng, 30, 4)
    chances = rng.dirichlet(np.ones(30))
    n = 200_000
    sample = rng.choice(30, size=n, p=chances)
    found = sampled_softmax(
        torch.from_numpy(states),
        torch.from_numpy(items[[7]]),
        torch.from_numpy(items[sample]),
        is_target=torch.from_numpy(sample[None] == 7),
        log_expected=torch.from_numpy(np.log(n * chances[sample]).astype(np.float32)),
    )
    full = full_softmax(torch.from_numpy(states), torch.from_numpy(items), torch.tensor([7]))
    assert float(found) == pytest.approx(float(full), abs=0.02)
