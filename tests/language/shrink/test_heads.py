from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from longtale.errors import EncoderError, SettingsError
from longtale.seeds import generator

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.language.tiny import tiny_decoder, tiny_encoder  # noqa: E402 - needs torch

from longtale.language.model import open_model, transformer_of  # noqa: E402
from longtale.language.shrink.heads import (  # noqa: E402
    attentions_of,
    importance_by_ablation,
    importance_by_gradient,
    least_important,
    masked_heads,
    prune_heads,
)
from longtale.language.shrink.layers import encoded  # noqa: E402

TEXTS = ["a film of love", "a book of war", "two ships at sea", "war and love"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("model"), TEXTS)


def test_pruned_heads_answer_as_masked_ones(folder: Path):
    model = open_model(folder)
    whole = encoded(model, TEXTS)
    with masked_heads(transformer_of(model), [torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])]):
        masked = encoded(model, TEXTS)
    np.testing.assert_array_equal(encoded(model, TEXTS), whole)
    prune_heads(transformer_of(model), {0: (0,), 1: (1,)})
    np.testing.assert_allclose(encoded(model, TEXTS), masked, atol=1e-6)
    assert not np.allclose(masked, whole, atol=1e-4)


def test_pruned_heads_leave_smaller_matrices(folder: Path):
    transformer = transformer_of(open_model(folder))
    prune_heads(transformer, {1: (0,)})
    shapes = [tuple(a.inner.query.weight.shape) for a in attentions_of(transformer)]
    assert shapes == [(32, 32), (16, 32)]
    assert tuple(attentions_of(transformer)[1].output.weight.shape) == (32, 16)


@pytest.mark.parametrize("heads", [{0: (2,)}, {0: (0, 1)}, {2: (0,)}])
def test_heads_that_are_not_there_or_all_of_a_layer_are_refused(folder: Path, heads):
    with pytest.raises(SettingsError, match=r"cannot be left out: it has \d, counted from 0"):
        prune_heads(transformer_of(open_model(folder)), heads)


def test_heads_of_other_architectures_are_refused(tmp_path: Path):
    model = open_model(tiny_decoder(tmp_path, TEXTS))
    with pytest.raises(EncoderError, match=r"the heads of a Qwen3\w+ cannot be left out"):
        attentions_of(transformer_of(model))


@pytest.mark.parametrize("kind", ["gradient", "ablation"])
def test_a_head_that_says_nothing_is_not_important(folder: Path, kind: str):
    model = open_model(folder)
    attention = attentions_of(transformer_of(model))[1]
    with torch.no_grad():  # what the first head finds is not read
        attention.output.weight[:, : attention.width] = 0
    if kind == "ablation":
        found = importance_by_ablation(model, TEXTS)
    else:
        found = importance_by_gradient(model, TEXTS, generator(0, "heads"))
    assert found[1][0] == pytest.approx(0, abs=1e-6)
    others = [found[0][0], found[0][1], found[1][1]]
    assert min(others) > 1e-6
    assert least_important(found, 0.25) == {1: (0,)}


def test_gradient_tells_how_far_a_vector_moves(folder: Path):
    model = open_model(folder)
    (text,) = TEXTS[:1]
    found = importance_by_gradient(model, [text] * 200, generator(0, "heads"))
    step = 1e-2
    ones = [torch.ones(2), torch.ones(2)]
    for layer, head in ((0, 0), (1, 1)):
        less = deepcopy(ones)
        less[layer][head] -= step
        with masked_heads(transformer_of(model), less):
            moved = (encoded(model, [text]) - encoded_whole(folder, text)) / step
        assert found[layer][head] == pytest.approx(float(np.square(moved).sum()), rel=0.3)


def encoded_whole(folder: Path, text: str) -> np.ndarray:
    return encoded(open_model(folder), [text])


def test_each_layer_keeps_a_head():
    found = least_important([np.array([0.1, 0.2]), np.array([0.3, 0.4])], 0.75)
    assert found == {0: (0,), 1: (0,)}
