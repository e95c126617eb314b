from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.contracts.text_encoder import TextEncoderLaws

from longtale.encode.encoder import EncoderSettings, load_encoder, make_encoder
from longtale.encode.language_model import LanguageModelSettings
from longtale.encode.saved import read_saved
from longtale.errors import EncoderError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.language.tiny import tiny_encoder  # noqa: E402 - needs torch

from longtale.encode.exported import export_encoder  # noqa: E402 - needs torch
from longtale.encode.onnx_text import OnnxTextEncoder  # noqa: E402

TEXTS = [f"a {kind} of {what}" for kind in ("film", "book") for what in ("love", "war", "the sea")]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("model"), TEXTS)


@pytest.fixture(scope="session")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxTextEncoder:
    return export_encoder(model, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def rounded(model: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxTextEncoder:
    return export_encoder(model, tmp_path_factory.mktemp("rounded"), bits=8)


class TestExportedEncoder(TextEncoderLaws):
    @pytest.fixture
    def encoder(self, whole: OnnxTextEncoder) -> OnnxTextEncoder:
        return whole


def test_a_graph_says_what_the_model_says(whole: OnnxTextEncoder, model: Path, tmp_path: Path):
    settings = EncoderSettings(model=str(model), engine="torch", cache=tmp_path)
    np.testing.assert_allclose(whole.encode(TEXTS), make_encoder(settings).encode(TEXTS), atol=1e-5)


def test_8_bits_say_nearly_the_same_in_less_room(whole: OnnxTextEncoder, rounded: OnnxTextEncoder):
    cosines = (whole.encode(TEXTS) * rounded.encode(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.99
    assert not np.array_equal(whole.encode(TEXTS), rounded.encode(TEXTS))
    sizes = [(e.folder / "model.onnx").stat().st_size for e in (rounded, whole)]
    assert sizes[0] < 0.8 * sizes[1]


def test_another_graph_has_another_fingerprint(whole: OnnxTextEncoder, rounded: OnnxTextEncoder):
    assert whole.fingerprint != rounded.fingerprint


def test_a_changed_transformer_stands_for_the_one_in_the_folder(
    whole: OnnxTextEncoder, model: Path, tmp_path: Path
):
    from transformers import AutoModel

    transformer = AutoModel.from_pretrained(str(model), attn_implementation="eager")
    with torch.no_grad():
        transformer.get_input_embeddings().weight.mul_(-1)
    found = export_encoder(model, tmp_path, transformer=transformer)
    assert not np.allclose(found.encode(TEXTS), whole.encode(TEXTS), atol=0.01)


@pytest.mark.parametrize(("bits", "engine"), [(8, "onnx"), (32, "openvino")])
def test_a_folder_is_opened_by_the_setting(
    whole: OnnxTextEncoder, rounded: OnnxTextEncoder, tmp_path: Path, bits: int, engine: str
):
    if engine == "openvino":
        pytest.importorskip("openvino")
    own = {8: rounded, 32: whole}[bits]
    settings = EncoderSettings(model=str(own.folder), engine="openvino", cache=tmp_path)
    encoder = make_encoder(settings)
    assert encoder.encoder.engine == engine
    cosines = (encoder.encode(TEXTS) * own.encode(TEXTS)).sum(axis=1)
    np.testing.assert_allclose(cosines, 1, atol=0.005)
    assert encoder.fingerprint == own.fingerprint


def test_leading_numbers_are_kept_and_survive_saving(whole: OnnxTextEncoder, tmp_path: Path):
    narrow = whole.adapted(LanguageModelSettings(dim=8))
    assert narrow.encode(TEXTS).shape == (len(TEXTS), 8)
    assert narrow.fingerprint != whole.fingerprint
    narrow.save(tmp_path)
    np.testing.assert_allclose(
        load_encoder(tmp_path).encode(TEXTS), narrow.encode(TEXTS), atol=0.005
    )


def test_torch_cannot_run_a_saved_graph(whole: OnnxTextEncoder):
    with pytest.raises(EncoderError, match="engine = 'torch', but the encoder is a saved graph"):
        whole.adapted(LanguageModelSettings(engine="torch"))


def test_the_record_says_how_many_bits(rounded: OnnxTextEncoder):
    assert read_saved(rounded.folder).bits == 8
