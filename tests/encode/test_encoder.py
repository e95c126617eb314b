from __future__ import annotations

import json
from pathlib import Path

import pytest

from longtale.encode.encoder import EncoderSettings, load_encoder, make_encoder
from longtale.encode.engines import has_bf16_units
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.encode.onnx_text import OnnxTextEncoder
from longtale.encode.saved import SavedOnnx, write_saved
from longtale.errors import EncoderError, SettingsError


def test_hashed_is_made_without_a_model():
    settings = EncoderSettings(model="hashed", hashed_dim=32)
    assert make_encoder(settings) == HashedTextEncoder(dim=32)


def test_unknown_engines_are_refused():
    with pytest.raises(SettingsError, match="'engine' is 'tpu'"):
        EncoderSettings.parse({"engine": "tpu"})


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path):
    with pytest.raises(EncoderError, match=r"holds no saved encoder \(encoder.json is missing\)"):
        load_encoder(tmp_path)


def test_an_encoder_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "encoder.json").write_text(json.dumps({"kind": "quantum"}))
    with pytest.raises(EncoderError, match=r"cannot be used: .*save the encoder again"):
        load_encoder(tmp_path)


def test_an_encoder_of_another_version_is_refused(tmp_path: Path):
    record = {"kind": "hashed", "dim": 8, "fingerprint": "0" * 64}
    (tmp_path / "encoder.json").write_text(json.dumps(record))
    with pytest.raises(EncoderError, match=r"its fingerprint is 000000000000, .* train again"):
        load_encoder(tmp_path)


def test_a_missing_part_is_named(tmp_path: Path):
    write_saved(tmp_path, SavedOnnx(dim=4, fingerprint="f", max_tokens=8, pad_id=0))
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(EncoderError, match=r"lacks tokenizer.json; save the encoder again"):
        load_encoder(tmp_path)


def test_broken_parts_are_named_at_the_first_text(tmp_path: Path):
    write_saved(tmp_path, SavedOnnx(dim=4, fingerprint="f", max_tokens=8, pad_id=0))
    (tmp_path / "model.onnx").write_bytes(b"x")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"tokenizer.json' is no tokenizer"):
        load_encoder(tmp_path).encode(["a"])


def test_a_hashed_encoder_is_not_opened_as_a_language_model(tmp_path: Path):
    HashedTextEncoder(dim=8).save(tmp_path)
    with pytest.raises(EncoderError, match="an encoder of kind 'hashed', not 'onnx'"):
        OnnxTextEncoder.load(tmp_path)


@pytest.mark.parametrize(
    ("flags", "has_units"),
    [("avx2 avx512_bf16", True), ("avx2 amx_bf16", True), ("avx2 avx512f", False), ("", False)],
)
def test_bf16_units_are_read_from_the_processors_flags(tmp_path: Path, flags: str, has_units: bool):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
    assert has_bf16_units(cpuinfo) is has_units


def test_a_machine_that_does_not_say_has_no_bf16_units(tmp_path: Path):
    assert has_bf16_units(tmp_path / "nowhere") is False
