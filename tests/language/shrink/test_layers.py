from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longtale.errors import SettingsError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.language.tiny import tiny_decoder, tiny_encoder  # noqa: E402 - needs torch

from longtale.language.model import (  # noqa: E402
    layers_of,
    open_model,
    save_model,
    transformer_of,
)
from longtale.language.shrink.layers import choose_layers, encoded, keep_layers  # noqa: E402

TEXTS = ["a film of love", "a book of war", "two ships at sea", "war and love"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("model"), TEXTS)


def test_the_layers_that_are_kept_stay_as_they_were(folder: Path):
    model = open_model(folder)
    transformer = transformer_of(model)
    second = layers_of(transformer)[1]
    keep_layers(transformer, [1])
    assert list(layers_of(transformer)) == [second]


@pytest.mark.parametrize("make", [tiny_encoder, tiny_decoder])
def test_a_model_with_fewer_layers_can_be_written_and_opened(make, tmp_path: Path):
    model = open_model(make(tmp_path / "model", TEXTS))
    before = encoded(model, TEXTS)
    keep_layers(transformer_of(model), [0])
    own = encoded(model, TEXTS)
    assert not np.allclose(own, before, atol=1e-3)
    save_model(model, tmp_path / "less")
    again = open_model(tmp_path / "less")
    assert len(layers_of(transformer_of(again))) == 1
    np.testing.assert_allclose(encoded(again, TEXTS), own, atol=1e-5)


@pytest.mark.parametrize("kept", [[], [2], [1, 0], [-1], [0, 0]])
def test_layers_that_are_not_there_are_refused(folder: Path, kept: list[int]):
    with pytest.raises(SettingsError, match=r"but the model has layers 0 to 1; name one or more"):
        keep_layers(transformer_of(open_model(folder)), kept)


def test_the_layer_that_changes_least_is_left_out(folder: Path):
    model = open_model(folder)
    transformer = transformer_of(model)
    with torch.no_grad():  # this layer hands on what it gets
        layer = layers_of(transformer)[0]
        layer.attention.output.dense.weight.zero_()
        layer.output.dense.weight.zero_()
    before = encoded(model, TEXTS)
    assert choose_layers(model, TEXTS, 1) == (1,)
    np.testing.assert_array_equal(encoded(model, TEXTS), before)


def test_more_layers_than_there_are_are_refused(folder: Path):
    with pytest.raises(SettingsError, match="n_layers = 3, but the model has 2 layers"):
        choose_layers(open_model(folder), TEXTS, 3)
