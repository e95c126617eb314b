"""Weights that learn beside the model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch import nn
from transformers import TrainerState

from longtale.language.pretrain.new_weights import NewWeightsKept, new_weights, optimizer_for
from longtale.language.pretrain.settings import PretrainSettings

pytestmark = pytest.mark.torch


def at(folder: Path, step: int, best: int | None = None) -> dict[str, Any]:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(exist_ok=True)
    best_folder = None if best is None else str(folder / f"checkpoint-{best}")
    return {
        "args": SimpleNamespace(output_dir=str(folder), load_best_model_at_end=True),
        "state": TrainerState(global_step=step, best_model_checkpoint=best_folder),
        "control": None,
    }


def test_weights_of_the_model_are_not_new(tmp_path):
    model, head = nn.Linear(2, 2), nn.Linear(2, 3)
    losses = nn.ModuleDict({"one": nn.ModuleList([model, head]), "two": nn.ModuleList([model])})
    assert {id(w) for w in new_weights(losses, model).values()} == {
        id(w) for w in head.parameters()
    }


def test_a_checkpoint_gives_new_weights_back(tmp_path):
    weights = {"head": nn.Parameter(torch.ones(2))}
    kept = NewWeightsKept(weights)
    kept.on_train_begin(**at(tmp_path, 0))
    for step in (1, 2):
        weights["head"].data.fill_(step)
        kept.on_save(**at(tmp_path, step))
    kept.on_train_end(**at(tmp_path, 2, best=1))
    assert weights["head"].tolist() == [1, 1]
    kept.on_train_begin(**at(tmp_path, 2))
    assert weights["head"].tolist() == [2, 2]


def test_new_weights_have_a_learning_rate_of_their_own():
    model, head = nn.Linear(2, 2), nn.Linear(2, 3)
    losses = nn.ModuleDict({"one": nn.ModuleList([model, head])})
    model.weight.requires_grad_(False)
    settings = PretrainSettings(learning_rate=1e-5, new_learning_rate=1e-3, weight_decay=0.1)
    _, options = optimizer_for(losses, model, settings)
    found = [(len(g["params"]), g["lr"], g["weight_decay"]) for g in options["optimizer_dict"]]
    assert found == [(1, 1e-5, 0.0), (1, 1e-3, 0.1), (1, 1e-3, 0.0)]
    scratch = settings.model_copy(update={"from_scratch": True})
    _, options = optimizer_for(losses, model, scratch)
    assert {group["lr"] for group in options["optimizer_dict"]} == {1e-3}


def test_one_of_several_processes_keeps_new_weights(tmp_path):
    kept = NewWeightsKept({"head": nn.Parameter(torch.ones(2))})
    asked = at(tmp_path, 1)
    asked["state"].is_world_process_zero = False
    kept.on_save(**asked)
    assert not list(tmp_path.rglob("*.safetensors"))
