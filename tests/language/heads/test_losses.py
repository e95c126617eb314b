"""What wrong answers of heads cost, against a slow obvious computation."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from longtale.language.heads.losses import TaskLosses, log_weights
from longtale.language.heads.settings import HeadSettings, HeadTask

pytestmark = pytest.mark.torch
CLICK = HeadTask(name="click", balance=1.0, weight=2.0)
BUY = HeadTask(name="buy", kind="conversion", classes=3, balance=0.5)
STARS = HeadTask(name="stars", kind="rating", weight=0.5)
NAN = math.nan
LABELS = np.array([[1, 0, 4], [0, 2, 1], [0, NAN, 3], [0, 1, NAN], [NAN, 1, 5]], dtype=np.float32)


def settings(*tasks: HeadTask) -> HeadSettings:
    return HeadSettings(tasks=tasks)


def test_the_loss_is_that_of_the_formula() -> None:
    losses = TaskLosses(settings(CLICK, BUY, STARS), LABELS)
    outputs = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32))
    rows = outputs.double().tolist()
    click = sum_click = 0.0
    for row, label in zip(rows[:4], (1, 0, 0, 0), strict=True):
        share = 1 / 4 if label else 3 / 4
        p = 1 / (1 + math.exp(-row[0]))
        click -= math.log(p if label else 1 - p) / (2 * share)
        sum_click += 1 / (2 * share)
    buy = sum_buy = 0.0
    for place, label in ((0, 0), (1, 2), (3, 1), (4, 1)):
        weight = (3 * (0.5 if label == 1 else 0.25)) ** -0.5
        logits = rows[place][1:4]
        total = sum(math.exp(each) for each in logits)
        buy -= weight * math.log(math.exp(logits[label]) / total)
        sum_buy += weight
    stars = np.array([4, 1, 3, 5])
    told = np.array([rows[place][4] for place in (0, 1, 2, 4)])
    error = np.square(told - (stars - stars.mean()) / stars.std()).mean()
    expected = 2 * click / sum_click + buy / sum_buy + 0.5 * error
    assert float(losses(outputs, torch.from_numpy(LABELS))) == pytest.approx(expected, rel=1e-5)


def test_a_batch_that_knows_nothing_costs_nothing() -> None:
    losses = TaskLosses(settings(CLICK), LABELS[:, :1])
    outputs = torch.ones(2, 1, requires_grad=True)
    cost = losses(outputs, torch.full((2, 1), NAN))
    cost.backward()
    assert cost.item() == 0
    assert outputs.grad is not None
    assert float(outputs.grad.abs().sum()) == 0


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_answers_are_the_shares_of_the_data_however_balanced(balance: float) -> None:
    tasks = (
        HeadTask(name="click", balance=balance),
        HeadTask(name="buy", kind="conversion", classes=3, balance=balance),
    )
    clicks, buys = [1.0] * 5 + [0.0] * 95, [0.0] * 80 + [1.0] * 15 + [2.0] * 5
    labels = np.column_stack([clicks, buys]).astype(np.float32)
    losses = TaskLosses(settings(*tasks), labels)
    constant = torch.zeros(1, 4, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=100)

    def cost() -> torch.Tensor:
        optimizer.zero_grad()
        found = losses(constant.expand(100, 4), torch.from_numpy(labels))
        found.backward()
        return found

    optimizer.step(cost)
    click, buy = losses.answers(constant.detach())
    np.testing.assert_allclose(click, [0.05], atol=2e-3)
    np.testing.assert_allclose(buy, [[0.80, 0.15, 0.05]], atol=2e-3)


def test_rare_classes_count_more_the_more_they_are_balanced() -> None:
    labels = np.array([1] + [0] * 9, dtype=np.float32)
    for balance, ratio in ((0.0, 1), (0.5, 3), (1.0, 9)):
        no, yes = log_weights(labels, HeadTask(balance=balance))
        assert math.exp(yes - no) == pytest.approx(ratio, rel=1e-5)


def test_a_class_that_nobody_saw_counts_as_one_that_was_seen_once() -> None:
    weights = log_weights(np.zeros(4, dtype=np.float32), HeadTask(kind="conversion", balance=1.0))
    np.testing.assert_allclose(np.exp(weights), [6 / (3 * 4), 2, 2], rtol=1e-5)


def test_ratings_that_are_all_the_same_are_foretold() -> None:
    losses = TaskLosses(settings(STARS), np.full((3, 1), 4, dtype=np.float32))
    assert losses.answers(torch.zeros(1, 1))[0].tolist() == [4.0]
