from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from longtale.language.shrink.losses import (  # noqa: E402 - needs torch
    TeacherLoss,
    evening_of,
    similarity_gap,
    unlikeness,
)


def drawn(n: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, width), dtype="f4"))


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_unlikeness_is_one_less_the_mean_cosine():
    own, theirs = drawn(5, 4), drawn(5, 4, seed=1)
    slow = 1 - np.mean([cosine(a, b) for a, b in zip(own.numpy(), theirs.numpy(), strict=True)])
    assert float(unlikeness(own, theirs)) == pytest.approx(slow, abs=1e-6)


def test_similarity_gap_compares_all_pairs_but_the_diagonal():
    own, theirs = drawn(5, 4), drawn(5, 7, seed=1)
    gaps = [
        (cosine(own[i].numpy(), own[j].numpy()) - cosine(theirs[i].numpy(), theirs[j].numpy())) ** 2
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert float(similarity_gap(own, theirs)) == pytest.approx(np.mean(gaps), abs=1e-6)


def test_turned_vectors_have_no_similarity_gap():
    own = drawn(6, 4)
    turn, _ = torch.linalg.qr(drawn(4, 4, seed=2))
    assert float(similarity_gap(own, own @ turn)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_evened_directions_spread_by_what_is_left_of_their_variance(power: float):
    vectors = drawn(4000, 3) * torch.tensor([4.0, 2.0, 1.0])
    spread = evening_of(vectors, power)(vectors).var(dim=0)
    expected = torch.tensor([1.0, 4.0, 16.0]) ** (1 - power)
    np.testing.assert_allclose(spread, expected, rtol=0.1)


def test_directions_of_no_variance_are_left_out():
    vectors = torch.cat([drawn(50, 2), torch.ones(50, 1)], dim=1)
    assert float(evening_of(vectors)(vectors).abs().max()) < 100


class Given(torch.nn.Module):
    """Says what it is given."""

    device = torch.device("cpu")

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def loss_of(own: torch.Tensor, targets: torch.Tensor, rows: list[int], **weights: float) -> float:
    weights = {"even_weight": 0.0, "similarity_weight": 0.0, **weights}
    loss = TeacherLoss(Given(), targets, **weights)
    return float(loss([{"vectors": own}], torch.tensor(rows)))


def test_the_loss_adds_what_is_weighted():
    targets = torch.nn.functional.normalize(drawn(20, 4), dim=1)
    rows = [3, 8, 1]
    own, theirs = torch.nn.functional.normalize(drawn(3, 4, seed=1), dim=1), targets[rows]
    even = evening_of(targets)
    expected = (
        unlikeness(own, theirs)
        + 2 * unlikeness(even(own), even(theirs))
        + 3 * similarity_gap(own, theirs)
    )
    found = loss_of(5 * own, targets, rows, even_weight=2.0, similarity_weight=3.0)
    assert found == pytest.approx(float(expected), abs=1e-5)


def test_cut_vectors_are_asked_for_similarities_alone():
    targets = torch.nn.functional.normalize(drawn(20, 4), dim=1)
    own = drawn(3, 2, seed=1)
    expected = float(similarity_gap(own, targets[:3]))
    assert loss_of(own, targets, [0, 1, 2], even_weight=1.0) == pytest.approx(expected, abs=1e-6)


def test_the_teacher_itself_loses_nothing():
    targets = torch.nn.functional.normalize(drawn(20, 4), dim=1)
    weights = {"even_weight": 1.0, "similarity_weight": 1.0}
    assert loss_of(targets[4:9], targets, list(range(4, 9)), **weights) == pytest.approx(
        0, abs=1e-5
    )
