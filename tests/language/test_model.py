"""Models on the bench."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from tests.language.tiny import N_LAYERS, WIDTH, tiny_decoder, tiny_encoder

from longtale.errors import EncoderError
from longtale.language.adapters import add_adapter, merge_adapter
from longtale.language.model import (
    freeze,
    layers_of,
    n_weights,
    open_model,
    save_model,
    set_dropout,
    transformer_of,
)
from longtale.language.settings import AdapterSettings

pytestmark = pytest.mark.torch
TEXTS = ["a film about the sea", "a story of two brothers", "ships and storms"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


def test_a_saved_model_answers_the_same(encoder: Path, tmp_path: Path) -> None:
    model = open_model(encoder)
    save_model(model, tmp_path / "copy")
    np.testing.assert_allclose(
        open_model(tmp_path / "copy").encode(TEXTS), model.encode(TEXTS), atol=1e-6
    )


def test_a_plain_decoder_is_pooled_by_its_last_token(tmp_path: Path) -> None:
    model = open_model(tiny_decoder(tmp_path, TEXTS))
    assert model[1].pooling_mode == "lasttoken"
    assert model.encode(TEXTS).shape == (len(TEXTS), WIDTH)


def test_only_the_top_layers_learn(encoder: Path) -> None:
    transformer = transformer_of(open_model(encoder))
    freeze(transformer, 1)
    learning = {
        layer: any(p.requires_grad for p in parameters.parameters())
        for layer, parameters in enumerate(layers_of(transformer))
    }
    assert learning == {0: False, 1: True}
    assert n_weights(transformer, learning=True) < n_weights(transformer)


def test_more_layers_than_there_are_cannot_learn(encoder: Path) -> None:
    with pytest.raises(EncoderError, match=f"train_layers = 3, but the model has {N_LAYERS}"):
        freeze(transformer_of(open_model(encoder)), 3)


def test_dropout_reaches_every_place(encoder: Path) -> None:
    import torch

    model = open_model(encoder)
    set_dropout(model, 0.37)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.37}


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_a_merged_adapter_answers_as_before_in_a_plain_model(
    encoder: Path, tmp_path: Path, kind: str
) -> None:
    import torch

    model = open_model(encoder)
    plain = model.encode(TEXTS)
    n_plain = n_weights(model)
    add_adapter(transformer_of(model), AdapterSettings.parse({"kind": kind}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.3
    adapted = model.encode(TEXTS)
    assert np.abs(adapted - plain).max() > 1e-3
    merge_adapter(transformer_of(model))
    assert n_weights(model) == n_plain
    save_model(model, tmp_path / "merged")
    np.testing.assert_allclose(open_model(tmp_path / "merged").encode(TEXTS), adapted, atol=1e-5)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="cannot be loaded"):
        open_model(tmp_path)
