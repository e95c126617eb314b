"""Judging by texts that taught nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
import torch
from tests.language.tiny import tiny_encoder

from longtale.language.model import open_model
from longtale.language.pretrain.held_out import HeldOut
from longtale.language.pretrain.losses import make_losses
from longtale.language.pretrain.settings import Objective, PretrainSettings

pytestmark = pytest.mark.torch
TEXTS = ["a film about the sea", "two brothers", "ships and storms at sea", "a story of the king"]
OBJECTIVES = (Objective.MASKED_WORDS, Objective.CONTRASTIVE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


def test_a_judge_asks_the_same_every_time_and_leaves_no_trace(folder):
    model = open_model(folder)
    losses = make_losses(model, folder, PretrainSettings(objectives=OBJECTIVES))
    examples = {objective: [(text,) for text in TEXTS] for objective in OBJECTIVES}
    judge = HeldOut(losses, examples, batch_size=3, seed=0)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        model.train(seed == 1)
        found.append(judge(model))
        assert torch.equal(torch.random.get_rng_state(), before)
        assert model.training == (seed == 1)
    assert found[0] == found[1]
    other = HeldOut(losses, examples, batch_size=3, seed=5)(model)
    assert other["masked_words_loss"] != found[0]["masked_words_loss"]
    assert other["contrastive_loss"] != found[0]["contrastive_loss"]  # dropout is at work
