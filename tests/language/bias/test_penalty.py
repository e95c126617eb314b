"""A penalty that gives groups the places that people choose them for."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.data.interactions import Histories
from longtale.errors import DataError, SettingsError
from longtale.language.bias.penalty import Penalty
from longtale.language.bias.report import bias_report, price

B, N, K = 400, 30, 5
FIRST = np.arange(N) % 3 == 0
LARGE = np.arange(N) < 12


def world(seed: int, lifts: dict[str, float]) -> tuple[np.ndarray, Histories]:
    """Requests that choose by a taste of which scores know a part, and lift some groups."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(B, N))
    chosen = np.argsort(-taste, axis=1)[:, :2]
    scores = taste + rng.normal(size=(B, N))
    for name, mask in {"first": FIRST, "large": LARGE}.items():
        scores += lifts.get(name, 0.0) * mask
    return scores.astype(np.float32), Histories.of(chosen.tolist())


def over(scores: np.ndarray, targets: Histories, mask: np.ndarray) -> float:
    """Count by hand by how much a group stands in more places than it is chosen for."""
    shown = np.argsort(-scores, axis=1)[:, :K]
    return float(mask[shown].mean() - mask[targets.items].mean())


def test_the_gap_is_closed_for_other_requests_and_accuracy_gains() -> None:
    known, judging = world(0, {"large": 1.0}), world(1, {"large": 1.0})
    penalty = Penalty.fit(*known, {"large": LARGE}, k=K)
    assert penalty.fines["large"] == pytest.approx(1.0, abs=0.15)
    after = penalty.apply(judging[0])
    assert over(*judging, LARGE) > 0.2
    assert abs(over(after, judging[1], LARGE)) < 0.03
    rng = np.random.default_rng(0)
    assert price(judging[0], after, judging[1], rng=rng, k=K).low > 0
    (group,) = bias_report(after, judging[1], {"large": LARGE}, rng=rng, k=K).groups
    assert group.over_relevant.value == pytest.approx(over(after, judging[1], LARGE))


def test_groups_that_share_items_are_fined_each_for_itself() -> None:
    known = world(0, {"first": 0.8, "large": -0.6})
    penalty = Penalty.fit(*known, {"first": FIRST, "large": LARGE}, k=K)
    assert penalty.fines["first"] == pytest.approx(0.8, abs=0.15)
    assert penalty.fines["large"] == pytest.approx(-0.6, abs=0.15)
    after = penalty.apply(known[0])
    assert abs(over(after, known[1], FIRST)) < 0.01
    assert abs(over(after, known[1], LARGE)) < 0.01


def test_strength_takes_a_part_of_it() -> None:
    known = world(0, {"large": 1.0})
    whole, half, none = (
        Penalty.fit(*known, {"large": LARGE}, k=K, strength=strength) for strength in (1, 0.5, 0)
    )
    assert half.fines["large"] == pytest.approx(whole.fines["large"] / 2)
    np.testing.assert_array_equal(none.apply(known[0]), known[0])


def test_what_takes_no_part_still_takes_none() -> None:
    scores, targets = world(0, {"large": 1.0})
    scores[:, ~FIRST & LARGE] = np.nan
    targets = Histories.of([[0]] * (B // 2) + [[29]] * (B // 2))
    penalty = Penalty.fit(scores, targets, {"large": LARGE}, k=K)
    after = penalty.apply(scores)
    np.testing.assert_array_equal(np.isnan(after), np.isnan(scores))
    shown = np.argsort(-np.nan_to_num(after, nan=-np.inf), axis=1)[:, :K]
    assert LARGE[shown].mean() == pytest.approx(0.5, abs=0.01)


def test_what_cannot_be_found_is_refused() -> None:
    scores, targets = world(0, {})
    with pytest.raises(SettingsError, match="strength is 2; expected 0 to 1"):
        Penalty.fit(scores, targets, {"large": LARGE}, strength=2)
    with pytest.raises(DataError, match="nothing was chosen"):
        Penalty.fit(scores, Histories.of([[]] * B), {"large": LARGE})
    with pytest.raises(DataError, match="group 'all' holds 30 of 30 items"):
        Penalty.fit(scores, targets, {"all": np.ones(N, dtype=np.bool_)})
