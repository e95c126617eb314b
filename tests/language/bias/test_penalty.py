"""A term of the loss that draws the means of groups together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from tests.language.tiny import tiny_encoder

from longtale.errors import DataError
from longtale.language.adversarial.embeddings import hardened
from longtale.language.adversarial.settings import AdversarialSettings
from longtale.language.bias.penalty import BalancedLoss, group_distance
from longtale.language.model import open_model, set_dropout
from longtale.language.settings import TrainingSettings
from longtale.language.training import arguments, optimizer_of, trained

pytestmark = pytest.mark.torch
ANCHORS = ["steel nails", "steel screws", "glue for wood", "wood and paper"]
OTHERS = ["screws", "nails of steel", "paper glue", "paper"]
LABELS = [[0, 0], [0, 0], [-1, -1], [-1, -1]]


def drawn(n: int, shift: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn((n, 4), generator=generator, dtype=torch.float64)
    groups = torch.arange(n) % 2
    vectors[groups == 1, 0] += shift
    return vectors, groups


def test_the_distance_equals_the_mean_over_pairs_of_different_rows() -> None:
    vectors, groups = drawn(9, 1.0)
    a, b = vectors[groups == 0], vectors[groups == 1]

    def inside(rows: torch.Tensor) -> float:
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return float(np.mean([float(rows[i] @ rows[j]) for i, j in pairs]))

    across = float(np.mean([float(x @ y) for x in a for y in b]))
    assert float(group_distance(vectors, groups)) == pytest.approx(
        inside(a) + inside(b) - 2 * across
    )


def test_the_distance_of_few_rows_is_right_in_the_mean() -> None:
    for shift in (0.0, 2.0):
        found = [float(group_distance(*drawn(6, shift, seed))) for seed in range(2000)]
        assert np.mean(found) == pytest.approx(shift**2, abs=0.15)


def test_rows_of_no_group_are_among_the_others() -> None:
    vectors, groups = drawn(8, 2.0)
    named = group_distance(vectors, groups)
    torch.testing.assert_close(group_distance(vectors, torch.where(groups == 1, 1, -1)), named)
    assert float(group_distance(vectors, torch.full((8,), -1))) == 0
    assert float(group_distance(vectors, torch.arange(8))) == 0


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), [*ANCHORS, *OTHERS])


def opened(encoder: Path) -> Any:
    model = open_model(encoder)
    set_dropout(model, 0.0)
    return model


def features(model: Any) -> list[dict[str, Any]]:
    return [dict(model.tokenize(texts)) for texts in (ANCHORS, OTHERS)]


def test_the_loss_is_the_plain_one_plus_the_distance_of_each_column(encoder: Path) -> None:
    model, labels = opened(encoder), torch.tensor(LABELS)
    plain = MultipleNegativesRankingLoss(model)
    distances = [
        group_distance(model(each)["sentence_embedding"], own)
        for each, own in zip(features(model), labels.T, strict=True)
    ]
    torch.testing.assert_close(
        BalancedLoss(plain, 3.0)(features(model), labels),
        plain(features(model), None) + 3.0 * sum(distances),
    )
    assert not model._forward_hooks


def test_texts_without_groups_are_refused(encoder: Path) -> None:
    model = opened(encoder)
    loss = BalancedLoss(MultipleNegativesRankingLoss(model), 1.0)
    with pytest.raises(DataError, match="no labels for 2 columns"):
        loss(features(model))
    with pytest.raises(DataError, match=r"shape \(4,\) for 2 columns"):
        loss(features(model), torch.zeros(4))


@pytest.mark.parametrize("kind", ["none", "fgm"])
def test_training_brings_the_groups_together_hardened_or_not(
    encoder: Path, tmp_path: Path, kind: str
) -> None:
    asked = TrainingSettings(batch_size=4, epochs=15, learning_rate=5e-3, n_evaluations=1)
    left = {}
    for strength in (0.0, 5.0):
        model = opened(encoder)
        balanced = BalancedLoss(MultipleNegativesRankingLoss(model), strength)
        trainer = SentenceTransformerTrainer(
            model,
            arguments(
                SentenceTransformerTrainingArguments,
                asked,
                tmp_path / str(strength),
                n_examples=4,
                metric=None,
            ),
            train_dataset=Dataset.from_dict(
                {"anchor": ANCHORS, "positive": OTHERS, "label": LABELS}
            ),
            loss=hardened(balanced, AdversarialSettings.parse({"kind": kind})),
            optimizer_cls_and_kwargs=optimizer_of(asked),
        )
        trained(trainer, asked)
        own = torch.tensor(model.encode(ANCHORS))
        left[strength] = float(group_distance(own, torch.tensor(LABELS)[:, 0]))
    assert left[5.0] < 0.5 * left[0.0]
