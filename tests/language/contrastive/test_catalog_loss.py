"""Telling what else people chose from the whole catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from tests.language.tiny import tiny_encoder
from torch.nn import functional

from longtale.data.interactions import Histories
from longtale.language.contrastive.catalog_loss import CatalogLoss, catalog_loss
from longtale.language.contrastive.head import Headed, new_head, put_head, teach_head
from longtale.language.model import encoded, open_model

pytestmark = pytest.mark.torch
TEXTS = ["a storm", "the sea", " ", "a garden", "the bread", "a sailor"]
HISTORIES = Histories.of([[0, 1, 5], [3, 4], [1, 5, 0], [4]])
ROWS = [0, 1, 3, 4, 5]  # of the items that somebody chose


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


def loss_of(encoder: Path, rng: np.random.Generator, **changed: int) -> CatalogLoss:
    model = open_model(encoder)
    model.eval()
    parts = {"n_users": 3, "n_events": 9, "temperature": 0.1, "rng": rng, **changed}
    return CatalogLoss(model, TEXTS, HISTORIES, **parts)


def told(loss: CatalogLoss, items: list[int]) -> float:
    """The loss of a batch of items, and what came of it in the model."""
    tokens = loss.model.preprocess([TEXTS[item] for item in items])
    found = loss([tokens], torch.tensor(items))
    found.backward()
    return found.item()


def test_the_loss_is_what_a_loop_over_users_gives() -> None:
    torch.manual_seed(3)
    vectors = functional.normalize(torch.randn(6, 4), dim=1)
    halves = [([0, 1], [5]), ([3], [4]), ([5], [0, 1])]
    expected = []
    for told_of, asked_for in halves:
        profile = functional.normalize(vectors[told_of].sum(dim=0), dim=0)
        others = [item for item in range(6) if item not in told_of]
        total = sum(np.exp(float(vectors[item] @ profile) / 0.1) for item in others)
        own = [np.exp(float(vectors[item] @ profile) / 0.1) / total for item in asked_for]
        expected.append(np.mean(-np.log(own)))
    found = catalog_loss(
        vectors,
        Histories.of([half[0] for half in halves]),
        Histories.of([half[1] for half in halves]),
        temperature=0.1,
    )
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_each_history_is_dealt_into_two_halves_that_share_nothing(
    encoder: Path, rng: np.random.Generator
) -> None:
    loss = loss_of(encoder, rng)

    seen = set()
    for _ in range(20):
        first, second = loss._dealt()
        assert len(first) == len(second) == 3  # not who chose one item alone
        for user, whole in enumerate(([0, 1, 5], [3, 4], [0, 1, 5])):
            halves = [
                {ROWS[item] for item in each.take(np.array([user])).items}
                for each in (first, second)
            ]
            assert halves[0] | halves[1] == set(whole)
            assert not halves[0] & halves[1]
            assert all(halves)
            seen.add((user, tuple(sorted(halves[0]))))
    assert len(seen) == 3 + 2 + 3


def test_only_as_many_users_are_drawn_as_asked_for(encoder: Path, rng: np.random.Generator) -> None:
    first, second = loss_of(encoder, rng, n_users=2)._dealt()
    assert len(first) == len(second) == 2


def test_texts_that_a_batch_reads_take_the_place_of_kept_vectors(
    encoder: Path, rng: np.random.Generator
) -> None:
    loss = loss_of(encoder, rng)
    told(loss, [0, 4])
    before = loss._kept.clone()
    with torch.no_grad():
        for weights in loss.model.parameters():
            weights.mul_(1.5)
    told(loss, [3, 4, 3])
    changed = (loss._kept != before).any(dim=1)
    assert changed.tolist() == [False, False, True, True, False]  # items 0, 1, 3, 4, 5
    now = loss.model.encode([TEXTS[3], TEXTS[4]], normalize_embeddings=True)
    np.testing.assert_allclose(loss._kept[2:4], now, atol=1e-5)
    assert not loss._kept.requires_grad


def test_a_batch_moves_the_model_as_if_all_texts_were_read_but_the_others_held_still(
    encoder: Path,
) -> None:
    loss = loss_of(encoder, np.random.default_rng(1))
    told(loss, [0, 1, 3, 4, 5])
    whole = [
        weights.grad.clone() for weights in loss.model.parameters() if weights.grad is not None
    ]
    parts = [loss_of(encoder, np.random.default_rng(1)) for _ in range(2)]
    told(parts[0], [0, 3])
    told(parts[1], [1, 4, 5])
    both = [
        [weights.grad for weights in part.model.parameters() if weights.grad is not None]
        for part in parts
    ]
    for one, first, second in zip(whole, *both, strict=True):
        torch.testing.assert_close(one, first + second, atol=1e-4, rtol=1e-3)


def test_a_matrix_that_learns_first_changes_what_is_kept_and_nothing_else(
    encoder: Path, rng: np.random.Generator
) -> None:
    loss = loss_of(encoder, rng)
    before = loss.model.encode(TEXTS, normalize_embeddings=True)
    head = new_head(loss.model)
    weights = [each.clone() for each in loss.model[0].parameters()]
    first = np.mean([loss._asked(torch.from_numpy(before[ROWS])).item() for _ in range(20)])
    loss.teach(head, n_steps=50, learning_rate=0.05)
    put_head(loss.model, head)
    now = loss.model.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(loss._kept, now[ROWS], atol=1e-5)
    last = np.mean([loss._asked(loss._kept).item() for _ in range(20)])
    assert last < 0.5 * first
    for one, two in zip(weights, loss.model[0].parameters(), strict=True):
        assert torch.equal(one, two)


def test_of_a_long_history_only_some_is_read_each_time_another_part(
    encoder: Path, rng: np.random.Generator
) -> None:
    loss = loss_of(encoder, rng, n_events=2)
    seen = set()
    for _ in range(20):
        first, second = loss._dealt()
        assert first.lengths.tolist() == second.lengths.tolist() == [1, 1, 1]
        seen.add((int(first.items[0]), int(second.items[0])))
    assert len(seen) == 6


def test_a_new_head_changes_nothing(encoder: Path) -> None:
    model = open_model(encoder)
    before = model.encode(TEXTS, normalize_embeddings=True)
    put_head(model, new_head(model))
    np.testing.assert_allclose(model.encode(TEXTS, normalize_embeddings=True), before, atol=1e-6)


def test_the_best_head_is_kept_be_it_the_one_that_has_not_learned() -> None:
    vectors = functional.normalize(torch.randn(6, 4), dim=1)

    def towards_first(found: torch.Tensor) -> torch.Tensor:
        return -(found @ vectors[0]).mean()

    for best, scores in ((0, [3, 1, 2]), (2, [1, 3, 2]), (4, [1, 2, 2])):
        head = torch.nn.Linear(4, 4, bias=False)
        torch.nn.init.eye_(head.weight)
        asked, weights = iter(scores), []

        def score() -> float:
            weights.append(head.weight.detach().clone())  # noqa: B023 - asked within the turn
            return next(asked)  # noqa: B023

        curve = teach_head(
            head, vectors, towards_first, n_steps=4, learning_rate=0.1, score=score, every=2
        )
        assert list(curve) == [0, 2, 4]
        assert torch.equal(head.weight, weights[best // 2])


def test_what_goes_through_a_head_is_read_once(encoder: Path) -> None:
    model = open_model(encoder)
    head = new_head(model)
    read: list[str] = []

    def reading(texts: list[str]) -> np.ndarray:
        read.extend(texts)
        return encoded(model, texts)

    headed = Headed(reading, head)
    np.testing.assert_allclose(headed(TEXTS[:2] * 2), encoded(model, TEXTS[:2] * 2), atol=1e-6)
    with torch.no_grad():
        head.weight.mul_(-2)
    np.testing.assert_allclose(headed(TEXTS[:2]), -encoded(model, TEXTS[:2]), atol=1e-6)
    assert read == TEXTS[:2]
