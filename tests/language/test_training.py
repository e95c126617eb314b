"""What every training of a language model leaves behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from tests.language.tiny import tiny_encoder

from longtale.language.model import encoded, open_model, save_model
from longtale.language.settings import TrainingSettings
from longtale.language.training import METRIC, Scored, arguments, optimizer_of, trained

pytestmark = pytest.mark.torch
TEXTS = ["a film about the sea", "a story of two brothers", "ships and storms", "bread and spice"]


def trainer_of(
    model: SentenceTransformer,
    settings: TrainingSettings,
    folder: Path,
    evaluator: Scored | None = None,
) -> SentenceTransformerTrainer:
    return SentenceTransformerTrainer(
        model,
        arguments(
            SentenceTransformerTrainingArguments,
            settings,
            folder,
            n_examples=len(TEXTS),
            metric=None if evaluator is None else METRIC,
        ),
        train_dataset=Dataset.from_dict({"first": TEXTS, "second": TEXTS[::-1]}),
        loss=MultipleNegativesRankingLoss(model),
        evaluator=evaluator,
        optimizer_cls_and_kwargs=optimizer_of(settings),
    )


def test_a_model_answers_in_full_precision_once_it_has_learned(tmp_path: Path) -> None:
    settings = TrainingSettings(precision="bfloat16", batch_size=4, max_steps=2)
    model = open_model(tiny_encoder(tmp_path, TEXTS))
    trained(trainer_of(model, settings, tmp_path / "steps"), settings)
    save_model(model, tmp_path / "out")
    np.testing.assert_allclose(
        encoded(model, TEXTS), encoded(open_model(tmp_path / "out"), TEXTS), atol=1e-6
    )


def test_a_model_in_training_is_judged_as_it_will_answer(tmp_path: Path) -> None:
    model = open_model(tiny_encoder(tmp_path, TEXTS))
    plain = encoded(model, TEXTS)
    settings = TrainingSettings(precision="bfloat16", batch_size=4, max_steps=2, learning_rate=1e-9)
    judged: list[np.ndarray] = []

    def score(own: SentenceTransformer) -> float:
        judged.append(encoded(own, TEXTS))
        return 1.0

    trained(trainer_of(model, settings, tmp_path / "steps", Scored(score)), settings)
    assert judged
    np.testing.assert_allclose(judged[-1], plain, atol=1e-6)
