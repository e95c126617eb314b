"""Losses under the worst small change of the word vectors."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from tests.language.tiny import tiny_encoder

from longtale.errors import SettingsError
from longtale.language.adapters import add_adapter
from longtale.language.adversarial.embeddings import AdversarialLoss, hardened
from longtale.language.adversarial.settings import AdversarialSettings
from longtale.language.model import open_model, set_dropout, transformer_of
from longtale.language.settings import AdapterSettings, TrainingSettings
from longtale.language.training import arguments, optimizer_of, trained

pytestmark = pytest.mark.torch
ANCHORS = ["a film about the sea", "a story of two brothers", "ships and storms", "two of a kind"]
OTHERS = ["ships", "brothers and sisters of a story", "a storm", "a kind film"]
KINDS = ("fgm", "freelb")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), [*ANCHORS, *OTHERS])


def opened(encoder: Path, dropout: float = 0.0) -> Any:
    model = open_model(encoder)
    set_dropout(model, dropout)
    return model.train()


def features(model: Any) -> list[dict[str, Any]]:
    return [dict(model.tokenize(texts)) for texts in (ANCHORS, OTHERS)]


def settings(kind: str, **values: object) -> AdversarialSettings:
    return AdversarialSettings.parse({"kind": kind, **values})


def test_fgm_is_the_mean_of_the_plain_loss_and_that_after_a_step_up_the_slope(
    encoder: Path,
) -> None:
    model = opened(encoder)
    loss, epsilon = MultipleNegativesRankingLoss(model), 0.2
    found = AdversarialLoss(loss, settings("fgm", epsilon=epsilon))(features(model))

    words, passes = transformer_of(model).get_input_embeddings(), []
    handle = words.register_forward_hook(lambda _, __, given: passes.append(given))
    plain = loss(features(model), None)
    slopes = torch.autograd.grad(plain, passes)
    handle.remove()
    steps = []
    for vectors, slope, each in zip(passes, slopes, features(model), strict=True):
        step = torch.zeros_like(vectors)
        for row, mask in enumerate(each["attention_mask"].bool()):
            length = vectors[row, mask].norm()
            step[row, mask] = epsilon * length * slope[row, mask] / slope[row, mask].norm()
        steps.append(step.detach())
    handle = words.register_forward_hook(lambda _, __, given: given + steps.pop(0))
    worse = loss(features(model), None)
    handle.remove()
    assert worse > plain + 1e-3
    torch.testing.assert_close(found, (plain + worse) / 2)


def test_freelb_is_the_mean_over_steps_that_go_up(encoder: Path) -> None:
    model = opened(encoder)
    loss = MultipleNegativesRankingLoss(model)
    values = {
        n_steps: float(
            AdversarialLoss(loss, settings("freelb", epsilon=0.3, step_size=0.3, n_steps=n_steps))(
                features(model)
            ).detach()
        )
        for n_steps in (1, 2, 3)
    }
    second, third = 2 * values[2] - values[1], 3 * values[3] - 2 * values[2]
    assert values[1] < second < third


def test_no_change_is_longer_than_epsilon(encoder: Path) -> None:
    model = opened(encoder)
    asked = settings("freelb", epsilon=0.1, step_size=5.0, n_steps=3)
    words, given, used = transformer_of(model).get_input_embeddings(), [], []
    words.register_forward_hook(lambda _, __, vectors: given.append(vectors.detach()))
    AdversarialLoss(_Heard(model, words, used), asked)(features(model))
    masks = [each["attention_mask"][..., None] for each in features(model)] * 3
    shares = [
        float(((late - early) * mask).norm(dim=(1, 2)).div((early * mask).norm(dim=(1, 2))).max())
        for early, late, mask in zip(given, used, masks, strict=True)
    ]
    assert max(shares) == pytest.approx(0.1, rel=1e-3)


class _Heard(torch.nn.Module):
    """A contrastive loss that keeps what the layer of words gave after all hooks."""

    def __init__(self, model: Any, words: torch.nn.Module, used: list[torch.Tensor]) -> None:
        super().__init__()
        self.model, self.loss = model, MultipleNegativesRankingLoss(model)
        self._words, self._used = (words,), used

    def forward(self, columns: Any, labels: Any) -> torch.Tensor:
        handle = self._words[0].register_forward_hook(
            lambda _, __, vectors: self._used.append(vectors.detach())
        )
        try:
            return self.loss(columns, labels)
        finally:
            handle.remove()


def test_padding_changes_nothing(encoder: Path) -> None:
    model = opened(encoder)
    loss = AdversarialLoss(MultipleNegativesRankingLoss(model), settings("fgm"))
    padded = [
        {
            name: torch.nn.functional.pad(part, (0, 5)) if torch.is_tensor(part) else part
            for name, part in each.items()
        }
        for each in features(model)
    ]
    torch.testing.assert_close(loss(padded), loss(features(model)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_as_it_was_after_a_step(encoder: Path, kind: str) -> None:
    model = opened(encoder)
    before = copy.deepcopy(model.state_dict())
    loss = AdversarialLoss(MultipleNegativesRankingLoss(model), settings(kind))(features(model))
    assert all(parameter.grad is None for parameter in model.parameters())
    loss.backward()
    for name, values in model.state_dict().items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=0)
    assert not transformer_of(model).get_input_embeddings()._forward_hooks


@pytest.mark.parametrize("kind", KINDS)
def test_all_passes_of_a_step_leave_out_the_same_values(encoder: Path, kind: str) -> None:
    model = opened(encoder, dropout=0.3)
    loss = MultipleNegativesRankingLoss(model)
    tiny = settings(kind, epsilon=1e-9, step_size=1e-9, n_steps=3)
    torch.manual_seed(0)
    plain = loss(features(model), None)
    torch.manual_seed(0)
    torch.testing.assert_close(AdversarialLoss(loss, tiny)(features(model)), plain)


def test_without_gradients_the_loss_is_the_plain_one(encoder: Path) -> None:
    model = opened(encoder)
    loss = MultipleNegativesRankingLoss(model)
    with torch.no_grad():
        found = AdversarialLoss(loss, settings("fgm", epsilon=0.5))(features(model))
        torch.testing.assert_close(found, loss(features(model), None))


def test_a_loss_that_reads_its_texts_twice_is_refused(encoder: Path) -> None:
    model = opened(encoder)
    loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=2)
    with pytest.raises(SettingsError, match="take one that is not cached"):
        AdversarialLoss(loss, settings("fgm"))(features(model))


def test_kind_none_leaves_the_loss_alone(encoder: Path) -> None:
    loss = MultipleNegativesRankingLoss(opened(encoder))
    assert hardened(loss, AdversarialSettings()) is loss
    with pytest.raises(SettingsError, match="expected fgm or freelb"):
        AdversarialLoss(loss, AdversarialSettings())


@pytest.mark.parametrize("adapter", ["none", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_with_the_trainer_lowers_the_loss_under_attack(
    encoder: Path, tmp_path: Path, kind: str, adapter: str
) -> None:
    asked = TrainingSettings(
        batch_size=4,
        epochs=20,
        learning_rate=5e-3,
        adapter=AdapterSettings.parse({"kind": adapter}),
        n_evaluations=1,
    )
    model = opened(encoder)
    add_adapter(transformer_of(model), asked.adapter)
    attacked = AdversarialLoss(MultipleNegativesRankingLoss(model), settings("fgm", epsilon=0.2))
    before = float(attacked(features(model)).detach())
    trainer = SentenceTransformerTrainer(
        model,
        arguments(SentenceTransformerTrainingArguments, asked, tmp_path, n_examples=4, metric=None),
        train_dataset=Dataset.from_dict({"anchor": ANCHORS, "positive": OTHERS}),
        loss=hardened(MultipleNegativesRankingLoss(model), settings(kind, epsilon=0.2)),
        optimizer_cls_and_kwargs=optimizer_of(asked),
    )
    assert trained(trainer, asked).n_steps == 20
    assert float(attacked(features(model)).detach()) < 0.9 * before
    assert np.isfinite(model.encode(ANCHORS)).all()
