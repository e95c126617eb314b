"""Adapters of every kind: what learns, what stays, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from sentence_transformers import SentenceTransformer
from tests.language.tiny import tiny_decoder, tiny_encoder
from transformers import DistilBertConfig, DistilBertModel

from longtale.errors import EncoderError, SettingsError
from longtale.language.adapters import adapt, add_adapter, merge_adapter, put_prefix, take_prefix
from longtale.language.model import n_weights, open_model, save_model, transformer_of
from longtale.language.settings import AdapterSettings

pytestmark = pytest.mark.torch
TEXTS = ["a film about the sea", "a story of two brothers", "ships and storms", "ships " * 80]
PREFIX = AdapterSettings(kind="prefix", n_tokens=4)
PROMPT = AdapterSettings(kind="prompt", n_tokens=4)
MAKERS = {"encoder": tiny_encoder, "decoder": tiny_decoder}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param), TEXTS)


def adapted(folder: Path, settings: AdapterSettings) -> SentenceTransformer:
    """Give a model whose adapter has moved away from where it began."""
    model = open_model(folder)
    adapt(model, settings, rng=np.random.default_rng(0))
    with torch.no_grad():
        for weights in model.parameters():
            if weights.requires_grad:
                weights += torch.linspace(-1, 1, weights.numel()).reshape(weights.shape)
    return model


@pytest.mark.parametrize("kind", ["lora", "ia3", "prefix", "prompt"])
def test_only_the_adapter_learns(folder: Path, kind: str) -> None:
    model = open_model(folder)
    n_plain = n_weights(model)
    adapt(model, AdapterSettings.parse({"kind": kind}), rng=np.random.default_rng(0))
    assert 0 < n_weights(model, learning=True) < 0.2 * n_plain
    model(model.preprocess(TEXTS))["sentence_embedding"][:, 0].sum().backward()
    moved = [w.grad is not None for w in model.parameters() if w.requires_grad]
    assert all(moved)


def test_a_prompt_becomes_words_of_a_plain_model(folder: Path, tmp_path: Path) -> None:
    plain = open_model(folder)
    model = adapted(folder, PROMPT)
    answers = model.encode(TEXTS)
    assert np.abs(answers - plain.encode(TEXTS)).max() > 1e-3
    merge_adapter(transformer_of(model))
    save_model(model, tmp_path / "merged")
    merged = open_model(tmp_path / "merged")
    np.testing.assert_allclose(merged.encode(TEXTS), answers, atol=1e-5)
    assert not hasattr(transformer_of(merged), "peft_config")


def test_a_prompt_stands_before_every_text_and_pair(folder: Path) -> None:
    plain = open_model(folder)
    usual = [plain.preprocess(texts)["input_ids"] for texts in ([TEXTS[0]], [(TEXTS[0], TEXTS[2])])]
    model = open_model(folder)
    adapt(model, PROMPT, rng=np.random.default_rng(0))
    new = len(plain.tokenizer)
    for texts, old in zip(([TEXTS[0]], [(TEXTS[0], TEXTS[2])]), usual, strict=True):
        tokens = model.preprocess(texts)["input_ids"]
        assert tokens[0, :4].tolist() == [new, new + 1, new + 2, new + 3]
        assert tokens[0, 4:].tolist() == old[0].tolist()


def test_a_long_text_is_cut_to_make_room_for_a_prompt(folder: Path) -> None:
    model = open_model(folder)
    adapt(model, PROMPT, rng=np.random.default_rng(0))
    assert model.preprocess(TEXTS[3:])["input_ids"].shape == (1, model.max_seq_length)


def test_a_prompt_begins_as_words_of_the_model(folder: Path) -> None:
    words = transformer_of(open_model(folder)).get_input_embeddings().weight.detach()
    model = open_model(folder)
    adapt(model, PROMPT, rng=np.random.default_rng(0))
    merge_adapter(transformer_of(model))
    began = transformer_of(model).get_input_embeddings().weight.detach()[len(words) :]
    assert len(began) == 4
    assert (torch.cdist(began, words).min(dim=1).values < 1e-4).all()


def test_a_prefix_is_taken_off_and_put_back(folder: Path, tmp_path: Path) -> None:
    plain = open_model(folder).encode(TEXTS[:3])
    model = adapted(folder, PREFIX)
    answers = model.encode(TEXTS[:3])
    assert np.abs(answers - plain).max() > 1e-3
    take_prefix(model, tmp_path / "prefix")
    np.testing.assert_allclose(model.encode(TEXTS[:3]), plain, atol=1e-6)
    other = open_model(folder)
    put_prefix(other, tmp_path / "prefix")
    np.testing.assert_allclose(other.encode(TEXTS[:3]), answers, atol=1e-6)


def test_the_longest_text_has_room_behind_a_prefix(folder: Path) -> None:
    model = adapted(folder, PREFIX)
    assert model.max_seq_length == 64 - 4 - 2
    assert np.isfinite(model.encode(TEXTS[3:])).all()


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_a_vector_does_not_depend_on_its_neighbours(folder: Path, kind: str) -> None:
    model = adapted(folder, AdapterSettings.parse({"kind": kind, "n_tokens": 4}))
    np.testing.assert_allclose(model.encode(TEXTS[:3])[2], model.encode(TEXTS[2]), atol=1e-6)


def test_a_prompt_that_leaves_no_room_is_refused(folder: Path) -> None:
    settings = AdapterSettings(kind="prompt", n_tokens=33)
    with pytest.raises(EncoderError, match="n_tokens = 33 leaves too little of the 64"):
        adapt(open_model(folder), settings, rng=np.random.default_rng(0))


@pytest.mark.parametrize("settings", [PREFIX, PROMPT])
def test_layers_alone_cannot_take_what_stands_before_a_text(
    folder: Path, settings: AdapterSettings
) -> None:
    with pytest.raises(SettingsError, match=f"of the kind '{settings.kind}' cannot become part"):
        add_adapter(transformer_of(open_model(folder)), settings)


def test_layers_that_take_no_prefix_are_named(folder: Path, tmp_path: Path) -> None:
    tokenizer = open_model(folder).tokenizer
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=32
    )
    DistilBertModel(config).save_pretrained(str(tmp_path))
    tokenizer.save_pretrained(str(tmp_path))
    with pytest.raises(SettingsError, match="a model of the kind 'distilbert' take nothing"):
        adapt(open_model(tmp_path), PREFIX, rng=np.random.default_rng(0))
