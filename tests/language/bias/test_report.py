"""How groups fare in a ranking, against slow obvious counts."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.data.interactions import Histories
from longtale.errors import DataError
from longtale.language.bias.groups import groups_of
from longtale.language.bias.report import bias_report, price

B, N, K = 60, 12, 3
BIG = np.arange(N) < 4


def world(lift: float = 0.0) -> tuple[np.ndarray, Histories]:
    """Requests that choose two items each at random, and scores that lift the big group."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(B, N)).astype(np.float32)
    chosen = [rng.choice(N, 2, replace=False).tolist() for _ in range(B)]
    scores[:, BIG] += np.float32(lift)
    return scores, Histories.of(chosen)


def slow_ndcg(scores: np.ndarray, targets: list[int]) -> float:
    order = list(np.argsort(-scores))
    gains = [1 / np.log2(2 + order.index(t)) for t in targets if order.index(t) < K]
    return sum(gains) / sum(1 / np.log2(2 + at) for at in range(min(len(targets), K)))


def report(scores: np.ndarray, targets: Histories, **more: object):
    rng = np.random.default_rng(1)
    return bias_report(scores, targets, {"big": BIG}, rng=rng, k=K, **more)


def test_numbers_equal_slow_counts() -> None:
    scores, targets = world(0.5)
    rows = [targets.items[2 * row : 2 * row + 2].tolist() for row in range(B)]
    inside = [[t for t in row if BIG[t]] for row in rows]
    outside = [[t for t in row if not BIG[t]] for row in rows]
    found = report(scores, targets)
    (group,) = found.groups
    shown = np.argsort(-scores, axis=1)[:, :K]
    assert group.exposure.value == pytest.approx(BIG[shown].mean())
    assert group.of_catalogue == pytest.approx(4 / N)
    assert group.of_relevant.value == pytest.approx(BIG[targets.items].mean())
    assert group.over_relevant.value == pytest.approx(BIG[shown].mean() - BIG[targets.items].mean())
    means = [
        np.mean([slow_ndcg(scores[row], own[row]) for row in range(B) if own[row]])
        for own in (rows, inside, outside)
    ]
    assert found.ndcg.value == pytest.approx(means[0])
    assert group.inside.value == pytest.approx(means[1])
    assert group.outside.value == pytest.approx(means[2])
    assert group.accuracy_gap.value == pytest.approx(means[1] - means[2])


def test_a_lifted_group_is_found_surely_over_exposed_and_better_ranked() -> None:
    fair, lifted = (report(*world(lift)).groups[0] for lift in (0.0, 2.0))
    assert fair.over_catalogue.low < 0 < fair.over_catalogue.high
    assert lifted.over_catalogue.low > 0.2
    assert lifted.accuracy_gap.low > 0.1


def test_intervals_narrow_with_the_root_of_the_requests() -> None:
    scores, targets = world(0.5)
    many = Histories.concatenated([targets] * 9)
    widths = [
        found.high - found.low
        for found in (report(scores, targets).ndcg, report(np.tile(scores, (9, 1)), many).ndcg)
    ]
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.2)


def test_items_that_take_no_part_are_no_part_of_the_catalogue() -> None:
    scores, targets = world()
    kept = np.arange(N) % 2 == 0
    first = Histories.of([[0]] * B)
    found = report(np.where(kept, scores, np.float32(np.nan)), first).groups[0]
    assert (found.n_items, found.of_catalogue) == (2, pytest.approx(2 / 6))
    assert np.isnan(found.outside.value)
    with pytest.raises(DataError, match=r"choices take no part in the ranking \(NaN\)"):
        report(np.where(kept, scores, np.float32(np.nan)), targets)


def test_the_price_is_the_paired_change_of_accuracy() -> None:
    scores, targets = world()
    better = scores.copy()
    better[np.repeat(np.arange(B), 2), targets.items] += 1
    rng = np.random.default_rng(0)
    found = price(scores, better, targets, rng=rng, k=K)
    change = report(better, targets).ndcg.value - report(scores, targets).ndcg.value
    assert found.value == pytest.approx(change)
    assert 0 < found.low < found.value < found.high
    assert price(scores, scores, targets, rng=rng, k=K).high == 0


def test_groups_come_from_the_values_that_enough_items_have() -> None:
    values = ["a", "b", "a", None, "b", "a", "c"]
    found = groups_of(values, least=2)
    assert list(found) == ["a", "b"]
    assert found["b"].tolist() == [False, True, False, False, True, False, False]
    with pytest.raises(DataError, match="the largest group has 3"):
        groups_of(values, least=4)


@pytest.mark.parametrize("mask", [np.zeros(N, bool), np.ones(N, bool)])
def test_a_group_of_all_items_or_none_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(DataError, match=f"'odd' holds {int(mask.sum())} of {N} items"):
        bias_report(*world(), {"odd": mask}, rng=np.random.default_rng(0))


def test_a_group_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(3,\) for 12 items"):
        bias_report(*world(), {"odd": np.ones(3, bool)}, rng=np.random.default_rng(0))
