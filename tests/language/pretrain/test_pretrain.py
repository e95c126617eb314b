"""Models that learn from texts without labels."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from sentence_transformers import SentenceTransformer
from tests.language.tiny import telling, tiny_decoder, tiny_encoder

from longtale.errors import DataError, EncoderError, SettingsError
from longtale.language.model import layers_of, open_model, save_model, transformer_of
from longtale.language.pretrain.pretrain import Pretrained, pretrain
from longtale.language.pretrain.settings import PretrainSettings
from longtale.stages import Advance

pytestmark = pytest.mark.torch
COLOURS, THINGS = ("red", "green", "blue", "dark"), ("ship", "house", "horse", "garden")
PLACES = ("of the sea", "of the king", "in the north", "by the river")
TEXTS = [f"a {a} {b} {c}" for a in COLOURS for b in THINGS for c in PLACES]
PAIRS = [(f"a {a} {b}", f"{a} and {b} {c}") for a in COLOURS for b in THINGS for c in PLACES]
QUICK = {
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "new_learning_rate": 3e-3,
    "n_evaluations": 2,
    "held_out": 0.15,
    "max_tokens": 32,
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    words = [*TEXTS, *(text for pair in PAIRS for text in pair)]
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), words)


def made(folder: Path, work: Path, objective: str = "masked_words", **values: object) -> Pretrained:
    settings = PretrainSettings.parse({"objectives": [objective], **QUICK, **values})
    return pretrain(folder, TEXTS, PAIRS, settings, out=work / "out", checkpoints=work / "ck")


@pytest.mark.parametrize("objective", ["masked_words", "next_sentence", "denoising", "contrastive"])
def test_held_out_texts_are_told_better_afterwards(encoder, tmp_path, objective):
    found = made(encoder, tmp_path, objective, **({"epochs": 12} if "next" in objective else {}))
    assert found.after["loss"] < found.before["loss"] - 0.01
    assert found.after["loss"] == pytest.approx(min(found.trained.curve.values()), rel=1e-4)
    plain, learned = open_model(encoder), open_model(tmp_path / "out")
    assert learned[1].pooling_mode == plain[1].pooling_mode
    assert learned.max_seq_length == plain.max_seq_length
    names = set(transformer_of(plain).state_dict())
    assert set(transformer_of(learned).state_dict()) == names
    assert np.abs(learned.encode(TEXTS[:3]) - plain.encode(TEXTS[:3])).max() > 1e-3


def test_hidden_words_of_unseen_texts_are_told_after_learning(encoder, tmp_path):
    found = made(encoder, tmp_path, epochs=20, n_evaluations=4)
    assert found.before["masked_words_accuracy"] < 0.1
    assert found.after["masked_words_accuracy"] > 0.3
    assert found.after["masked_words_perplexity"] == pytest.approx(np.exp(found.after["loss"]))


def test_several_objectives_are_learned_in_turn(encoder, tmp_path):
    found = made(encoder, tmp_path, objectives=["contrastive", "masked_words", "next_sentence"])
    names = ("contrastive_loss", "masked_words_loss", "next_sentence_loss")
    assert found.after["loss"] == pytest.approx(np.mean([found.after[name] for name in names]))
    assert found.n_train + found.n_held_out == 2 * len(TEXTS) + len(PAIRS)


def test_a_training_that_was_stopped_goes_on_with_its_heads(encoder, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(n: int) -> None:
        steps.append(n)
        if sum(steps) == 9:
            raise StoppedError("half-way")

    def stopping(*_: object, **__: object) -> AbstractContextManager[Advance]:
        return nullcontext(stop)

    steps: list[int] = []
    settings = PretrainSettings.parse({**QUICK, "n_evaluations": 4, "patience": 0})
    where = {"out": tmp_path / "out", "checkpoints": tmp_path / "ck"}
    with pytest.raises(StoppedError, match="half-way"):
        pretrain(encoder, TEXTS, PAIRS, settings, **where, stages=stopping)
    told: dict[str, list[int]] = {}
    found = pretrain(encoder, TEXTS, PAIRS, settings, **where, stages=telling(told))
    (steps,) = told.values()
    whole = made(encoder, tmp_path / "whole", n_evaluations=4, patience=0)
    assert steps[0] == 6
    assert sum(steps) == found.trained.n_steps == whole.trained.n_steps
    assert found.after["loss"] == pytest.approx(whole.after["loss"], rel=1e-3)


def test_the_score_says_which_weights_are_the_best(encoder, tmp_path):
    asked: list[float] = []

    def score(model: SentenceTransformer) -> float:
        asked.append(-float(len(asked)))
        return asked[-1]

    settings = PretrainSettings.parse({**QUICK, "n_evaluations": 4, "patience": 2})
    where = {"out": tmp_path / "out", "checkpoints": tmp_path / "ck"}
    found = pretrain(encoder, TEXTS, PAIRS, settings, **where, score=score)
    assert list(found.trained.curve.values()) == [0.0, -1.0, -2.0]
    assert found.trained.n_best == min(found.trained.curve)
    assert found.trained.n_steps == max(found.trained.curve)


def test_a_model_from_scratch_knows_the_words_of_the_texts(tmp_path):
    scratch = {"width": 32, "layers": 1, "n_words": 200}
    found = made(tmp_path / "none", tmp_path, from_scratch=True, scratch=scratch)
    model = open_model(tmp_path / "out")
    assert found.after["loss"] < found.before["loss"] - 0.01
    assert len(layers_of(transformer_of(model))) == 1
    assert model.encode(["a ship"]).shape == (1, 32)
    assert model.tokenizer.tokenize("A RED garden") == ["a", "red", "garden"]


def test_only_what_is_let_learns(encoder, tmp_path):
    made(encoder, tmp_path, "denoising", train_layers=1)
    plain, learned = (transformer_of(open_model(f)) for f in (encoder, tmp_path / "out"))
    below, above = (
        [
            torch.equal(plain.get_parameter(name), weights)
            for name, weights in learned.named_parameters()
            if name.startswith(prefix)
        ]
        for prefix in ("encoder.layer.0.", "encoder.layer.1.")
    )
    assert all(below)
    assert not any(above)


def test_a_head_alone_can_learn(encoder, tmp_path):
    found = made(encoder, tmp_path, train_layers=0)
    assert found.after["loss"] < found.before["loss"] - 0.01
    plain, learned = open_model(encoder), open_model(tmp_path / "out")
    np.testing.assert_allclose(learned.encode(TEXTS[:3]), plain.encode(TEXTS[:3]), atol=1e-6)


def test_an_adapter_becomes_part_of_the_encoder(encoder, tmp_path):
    made(encoder, tmp_path, adapter={"kind": "lora"})
    plain, learned = open_model(encoder), open_model(tmp_path / "out")
    assert set(learned.state_dict()) == set(plain.state_dict())
    assert np.abs(learned.encode(TEXTS[:3]) - plain.encode(TEXTS[:3])).max() > 1e-3


def test_nothing_that_could_learn_is_refused(encoder, tmp_path):
    with pytest.raises(SettingsError, match="nothing would learn, since contrastive has no head"):
        made(encoder, tmp_path, "contrastive", train_layers=0)


def test_reading_twice_without_dropout_is_refused(encoder, tmp_path):
    with pytest.raises(EncoderError, match="leaves nothing out at random; set dropout"):
        made(encoder, tmp_path, "contrastive", dropout=0)


def test_too_few_texts_are_refused(encoder, tmp_path):
    with pytest.raises(DataError, match="at least 2 different texts with words, but 1 of 2"):
        pretrain(
            encoder, ["one", " "], [], PretrainSettings(), out=tmp_path, checkpoints=tmp_path / "ck"
        )


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    save_model(open_model(tiny_decoder(folder / "plain", TEXTS)), folder / "encoder")
    return folder / "encoder"


@pytest.mark.parametrize(
    "objective, message",
    [
        ("masked_words", "one is a decoder, which reads from the left"),
        ("denoising", "decoder of the model's own weights, which a Qwen3Model does not allow"),
        ("contrastive", "leave the objective out where the model has no place for dropout"),
    ],
)
def test_what_a_decoder_cannot_learn_is_refused(decoder, tmp_path, objective, message):
    with pytest.raises(EncoderError, match=message):
        made(decoder, tmp_path, objective)


def test_a_decoder_learns_which_texts_belong_together(decoder, tmp_path):
    found = made(decoder, tmp_path, "next_sentence")
    assert found.after["loss"] <= found.before["loss"]
    assert open_model(tmp_path / "out")[1].pooling_mode == "lasttoken"
