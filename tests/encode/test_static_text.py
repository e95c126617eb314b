from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.contracts.text_encoder import TextEncoderLaws
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from longtale.arrays import unit_rows
from longtale.encode.encoder import EncoderSettings, make_encoder
from longtale.encode.language_model import LanguageModelSettings
from longtale.encode.saved import SavedOnnx, write_saved
from longtale.encode.static_text import StaticTextEncoder, is_static
from longtale.errors import EncoderError

WORDS = ["[UNK]", "a", "red", "shoe", "shoes", "two", "and", "kettle", "find", "##s"]
WIDTH = 6


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A table of words in the layout of sentence-transformers."""
    return written(tmp_path / "model")


def written(folder: Path, **prompts: str) -> Path:
    inner = folder / "0_StaticEmbedding"
    inner.mkdir(parents=True)
    kind = "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": inner.name, "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    words = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(inner / "tokenizer.json"))
    save_file({"embedding.weight": table()}, inner / "model.safetensors")
    return folder


def table() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((len(WORDS), WIDTH)).astype(np.float32)


def opened(model: Path, **settings: object) -> StaticTextEncoder:
    return StaticTextEncoder.open(model, LanguageModelSettings.parse(settings))


class TestStaticTextEncoder(TextEncoderLaws):
    @pytest.fixture
    def encoder(self, model: Path) -> StaticTextEncoder:
        return opened(model)


def test_a_text_is_the_mean_of_its_words(model: Path):
    found = opened(model).encode(["red shoe red"])
    red, shoe = table()[[WORDS.index("red"), WORDS.index("shoe")]]
    np.testing.assert_allclose(found, unit_rows((2 * red + shoe)[None] / 3), atol=1e-6)


def test_order_counts_for_nothing(model: Path):
    first, second = opened(model).encode(["two red shoes", "shoes two red"])
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_words_behind_the_cut_count_for_nothing(model: Path):
    encoder = opened(model, max_tokens=8)
    first, second = encoder.encode(["red " * 8, "red " * 8 + "kettle"])
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert not np.allclose(opened(model).encode(["red " * 8 + "kettle"]), first, atol=1e-3)


def test_leading_numbers_of_vectors_are_kept(model: Path):
    whole = opened(model).encode(["two red shoes"])
    found = opened(model, dim=3).encode(["two red shoes"])
    np.testing.assert_allclose(found, unit_rows(whole[:, :3]), atol=1e-6)


def test_more_numbers_than_there_are_are_refused(model: Path):
    with pytest.raises(EncoderError, match="dim = 7, but this model's vectors have 6 numbers"):
        opened(model, dim=7)


def test_a_prompt_stands_before_queries_alone(tmp_path: Path):
    encoder = opened(written(tmp_path / "model", query="find "))
    asked, meant = (
        encoder.encode(["kettle"], purpose="query"),
        encoder.encode(["find kettle", "kettle"]),
    )
    np.testing.assert_allclose(asked[0], meant[0], atol=1e-6)
    assert not np.allclose(asked[0], meant[1], atol=1e-3)


@pytest.mark.parametrize("change", [{"dim": 4}, {"max_tokens": 8}, {"query_prompt": "find"}])
def test_what_changes_vectors_changes_the_fingerprint(model: Path, change: dict[str, object]):
    assert opened(model, **change).fingerprint != opened(model).fingerprint


def test_another_table_has_another_fingerprint(model: Path):
    before = opened(model).fingerprint
    save_file({"embedding.weight": 2 * table()}, model / "0_StaticEmbedding/model.safetensors")
    assert opened(model).fingerprint != before


def test_whole_words_are_known_where_parts_are_marked(model: Path):
    assert opened(model).words() == {"shoe", "shoes", "kettle", "find"}


def test_a_folder_is_opened_by_the_setting(model: Path, tmp_path: Path):
    encoder = make_encoder(EncoderSettings(model=str(model), dim=4))
    assert isinstance(encoder, StaticTextEncoder)
    assert encoder.dim == 4
    encoder.save(tmp_path / "saved")
    again = make_encoder(EncoderSettings(model=str(tmp_path / "saved")))
    np.testing.assert_array_equal(again.encode(["red"]), encoder.encode(["red"]))


def test_other_folders_are_not_taken_for_a_table(tmp_path: Path):
    assert not is_static(tmp_path)


def test_a_missing_table_is_named(model: Path):
    (model / "0_StaticEmbedding/model.safetensors").unlink()
    with pytest.raises(EncoderError, match="holds no vectors of tokens"):
        opened(model)


def test_a_broken_tokenizer_is_named(model: Path):
    (model / "0_StaticEmbedding/tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError, match="is no tokenizer"):
        opened(model)


def test_another_kind_is_not_opened_as_a_table(tmp_path: Path):
    write_saved(tmp_path, SavedOnnx(dim=4, fingerprint="f", max_tokens=8, pad_id=0))
    with pytest.raises(EncoderError, match="an encoder of kind 'onnx', not 'static'"):
        StaticTextEncoder.load(tmp_path)
