from __future__ import annotations

import json
from pathlib import Path

import pytest

from longtale.encode.model_card import read_card
from longtale.encode.model_folder import find_model, weights_digest
from longtale.errors import EncoderError

TRANSFORMER = {"path": "", "type": "sentence_transformers.models.Transformer"}
POOLING = {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}


def write(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def model(folder: Path, *, pooling: object = None, **files: object) -> Path:
    files.setdefault("config", {"hidden_size": 16, "max_position_embeddings": 64})
    if pooling is not None:
        files["modules"] = [TRANSFORMER, POOLING]
        write(folder / "1_Pooling", config=pooling)
    return write(folder, **files)


def test_a_plain_folder_is_pooled_by_its_mean(tmp_path: Path):
    card = read_card(model(tmp_path))
    assert (card.pooling, card.dim, card.max_tokens) == ("mean", 16, 64)
    assert (card.query_prompt, card.passage_prompt) == ("", "")


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["lasttoken"]}, "last"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last"),
    ],
)
def test_pooling_is_read_in_the_old_and_the_new_style(tmp_path: Path, config: object, pooling: str):
    assert read_card(model(tmp_path, pooling=config)).pooling == pooling


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode": "max"},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        {},
    ],
)
def test_other_poolings_are_refused(tmp_path: Path, config: object):
    with pytest.raises(EncoderError, match=r"asks for the pooling .* supported is one of mean"):
        read_card(model(tmp_path, pooling=config))


def test_a_prompt_left_out_of_the_pooling_is_refused(tmp_path: Path):
    config = {"pooling_mode": "mean", "include_prompt": False}
    with pytest.raises(EncoderError, match="leaves the prompt out of the pooling"):
        read_card(model(tmp_path, pooling=config))


def test_other_modules_are_refused(tmp_path: Path):
    other = {"path": "2_CNN", "type": "sentence_transformers.models.CNN"}
    with pytest.raises(EncoderError, match="a module 'CNN'; supported are Transformer"):
        read_card(model(tmp_path, modules=[TRANSFORMER, other]))


def test_a_matrix_that_does_not_say_its_width_is_refused(tmp_path: Path):
    dense = {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    with pytest.raises(EncoderError, match=r"2_Dense/config.json' does not say how wide the model"):
        read_card(model(tmp_path, modules=[TRANSFORMER, dense]))


def test_weights_may_lie_in_a_folder_of_their_own(tmp_path: Path):
    inner = {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}
    write(tmp_path, modules=[inner])
    model(tmp_path / "0_Transformer")
    assert read_card(tmp_path).folder == tmp_path / "0_Transformer"


@pytest.mark.parametrize(
    ("prompts", "query", "passage"),
    [
        ({"prompts": {"query": "query: ", "passage": "passage: "}}, "query: ", "passage: "),
        ({"prompts": {"query": "Q ", "document": "D ", "passage": "P "}}, "Q ", "D "),
        ({"prompts": {"both": "> "}, "default_prompt_name": "both"}, "> ", "> "),
        ({"prompts": {"query": None, "document": ""}}, "", ""),
        ({"prompts": None}, "", ""),
    ],
)
def test_prompts_come_from_the_models_own_configuration(
    tmp_path: Path, prompts: object, query: str, passage: str
):
    card = read_card(model(tmp_path, config_sentence_transformers=prompts))
    assert (card.query_prompt, card.passage_prompt) == (query, passage)


@pytest.mark.parametrize(
    ("files", "max_tokens"),
    [
        ({"sentence_bert_config": {"max_seq_length": 32}}, 32),
        ({"tokenizer_config": {"model_max_length": 48}}, 48),
        ({"tokenizer_config": {"model_max_length": 10**30}}, 64),
        ({"config": {"hidden_size": 4}}, 512),
    ],
)
def test_the_length_is_the_smallest_that_the_model_names(
    tmp_path: Path, files: dict[str, object], max_tokens: int
):
    assert read_card(model(tmp_path, **files)).max_tokens == max_tokens


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(EncoderError, match=r"holds no language model \(config.json is missing\)"):
        read_card(tmp_path)


def test_a_model_of_unknown_width_is_refused(tmp_path: Path):
    with pytest.raises(EncoderError, match="does not say how wide the model is"):
        read_card(model(tmp_path, config={"max_position_embeddings": 64}))


def test_broken_json_is_named(tmp_path: Path):
    (model(tmp_path) / "tokenizer_config.json").write_text("{")
    with pytest.raises(EncoderError, match=r"tokenizer_config.json' is not valid JSON"):
        read_card(tmp_path)


def test_weights_that_can_run_code_are_refused(tmp_path: Path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(EncoderError, match=r"holds no \*.safetensors weights"):
        weights_digest(tmp_path)


def test_changed_weights_are_refused_with_both_digests(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"tampered")
    right, seen = "0" * 64, weights_digest(tmp_path)
    with pytest.raises(EncoderError, match=f"SHA-256 is {seen}, expected {right}"):
        weights_digest(tmp_path, expected=right)


def test_one_changed_part_of_the_weights_changes_the_digest(tmp_path: Path):
    for number in (1, 2):
        (tmp_path / f"model-{number}.safetensors").write_bytes(b"a")
    before = weights_digest(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"b")
    assert weights_digest(tmp_path) != before


def test_a_model_that_cannot_be_had_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    hub = pytest.importorskip("huggingface_hub")

    def unreachable(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    with pytest.raises(EncoderError, match=r"'who/what' is no folder here .* 'minilm'"):
        find_model("who/what")
