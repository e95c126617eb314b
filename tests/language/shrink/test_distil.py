from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longtale.encode.encoder import EncoderSettings, make_encoder
from longtale.errors import DataError, EncoderError, SettingsError
from longtale.language.shrink.settings import DistilSettings
from longtale.seeds import generator
from longtale.stages import unseen

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.language.tiny import telling, tiny_decoder, tiny_encoder  # noqa: E402 - needs torch

from longtale.language.model import layers_of, open_model, transformer_of  # noqa: E402
from longtale.language.shrink.distil import Distilled, distil  # noqa: E402
from longtale.language.shrink.layers import encoded  # noqa: E402
from longtale.language.shrink.static import (  # noqa: E402
    fitted_table,
    static_student,
    token_table,
    tokenizer_of,
)
from longtale.language.shrink.students import main_directions  # noqa: E402

TEXTS = [
    f"a {kind} of {what} and {other}"
    for kind in ("film", "book", "song")
    for what in ("love", "war", "the sea", "night")
    for other in ("men", "ships", "cats")
]


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("teacher"), TEXTS)


def taught(teacher: Path, folder: Path, *, score=None, stages=unseen, **changes) -> Distilled:
    values = {"batch_size": 8, "epochs": 6, "n_evaluations": 2, "pieces": 0, "max_tokens": 16}
    settings = DistilSettings.parse({**values, "learning_rate": 3e-3, "n_heads": 2, **changes})
    return distil(
        teacher,
        TEXTS,
        settings,
        out=folder / "out",
        checkpoints=folder / "checkpoints",
        score=score,
        stages=stages,
    )


@pytest.mark.parametrize("student", ["layers", "fresh", "static"])
def test_a_student_becomes_like_its_teacher_on_texts_it_never_read(
    teacher: Path, tmp_path: Path, student: str
):
    width = {} if student == "layers" else {"width": 16}
    found = taught(teacher, tmp_path, student=student, even_weight=0.0, **width)
    assert found.cosine > 0.9
    assert found.n_weights < found.n_weights_of_teacher
    assert found.n_read + found.n_held_out == len(TEXTS)


@pytest.mark.parametrize("student", ["layers", "fresh", "static"])
def test_what_was_written_is_opened_by_the_setting(teacher: Path, tmp_path: Path, student: str):
    taught(teacher, tmp_path, student=student, max_steps=1)
    model = open_model(tmp_path / "out")
    settings = EncoderSettings(model=str(tmp_path / "out"), engine="onnx", cache=tmp_path / "cache")
    found = make_encoder(settings).encode(TEXTS)
    np.testing.assert_allclose(found, encoded(model, TEXTS), atol=1e-5)


def test_a_student_reads_as_long_texts_as_its_teacher(teacher: Path, tmp_path: Path):
    taught(teacher, tmp_path, max_steps=1, max_tokens=8)
    assert open_model(tmp_path / "out").max_seq_length == open_model(teacher).max_seq_length


def test_layers_can_be_named(teacher: Path, tmp_path: Path):
    taught(teacher, tmp_path, layers=[1], max_steps=1, learning_rate=1e-12)
    own = layers_of(transformer_of(open_model(tmp_path / "out")))
    second = layers_of(transformer_of(open_model(teacher)))[1]
    assert len(own) == 1
    torch.testing.assert_close(own[0].state_dict(), second.state_dict())


def test_the_best_one_is_kept(teacher: Path, tmp_path: Path):
    scores = iter([0.5, 0.9, 0.1, 0.1, 0.1, 0.1])
    found = taught(teacher, tmp_path, score=lambda _: next(scores), n_evaluations=4, patience=2)
    values = list(found.trained.curve.values())
    assert values[:2] == [0.5, 0.9]
    assert len(values) == 4
    assert found.trained.curve[found.trained.n_best] == 0.9


def test_progress_is_told_of_each_step(teacher: Path, tmp_path: Path):
    told: dict[str, list[int]] = {}
    found = taught(teacher, tmp_path, max_steps=3, stages=telling(told))
    assert {name: sum(n) for name, n in told.items()} == {
        "ask the teacher of 36": 36,
        "train of 3": found.trained.n_steps,
    }


def test_the_teacher_is_not_asked_twice(teacher: Path, tmp_path: Path):
    taught(teacher, tmp_path, max_steps=1)
    vectors = np.load(tmp_path / "checkpoints" / "teacher.npy")
    np.save(tmp_path / "checkpoints" / "teacher.npy", -vectors)
    assert taught(teacher, tmp_path, max_steps=1).cosine < 0


def test_pieces_are_read_too(teacher: Path, tmp_path: Path):
    assert taught(teacher, tmp_path, pieces=2, max_steps=1).n_read > len(TEXTS)


def test_a_whole_student_comes_to_say_of_spoilt_texts_what_was_said_of_the_whole(
    teacher: Path, tmp_path: Path
):
    told: dict[str, list[int]] = {}
    changes = {"student": "whole", "spoilt": 3, "learning_rate": 1e-3}
    found = taught(teacher, tmp_path, stages=telling(told), **changes)
    assert sum(told["ask the teacher of 36"]) == len(TEXTS)
    assert (found.n_read, found.n_held_out) == (4 * 32, 2 * 4)
    assert found.cosine_before < 0.999 < 1
    assert found.cosine > 0.5 * (1 + found.cosine_before)
    assert found.n_weights == found.n_weights_of_teacher


@pytest.mark.parametrize("student", ["fresh", "static"])
def test_lengths_to_do_with_are_trained_for(teacher: Path, tmp_path: Path, student: str):
    changes = {"student": student, "matryoshka": (4, 8), "even_weight": 0.0}
    losses = list(taught(teacher, tmp_path, **changes).trained.losses.values())
    assert losses[-1] < losses[0]


def test_least_squares_leave_nothing_to_train_where_no_length_is_asked_for(
    teacher: Path, tmp_path: Path
):
    assert taught(teacher, tmp_path, student="static").trained.n_steps == 0


def test_lengths_that_cut_nothing_are_refused(teacher: Path, tmp_path: Path):
    with pytest.raises(SettingsError, match=r"matryoshka = \[32\], but the student's vectors have"):
        taught(teacher, tmp_path, matryoshka=[32])


def test_too_few_texts_are_refused(teacher: Path, tmp_path: Path):
    settings = DistilSettings()
    with pytest.raises(DataError, match="3 different texts that are not blank"):
        distil(teacher, ["a", "b", "c", "c", " "], settings, out=tmp_path, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": "static", "width": 64}, "width = 64, but the teacher's vectors have 32"),
        ({"student": "whole", "width": 16}, "is as wide as the teacher"),
        ({"width": 16}, "a student made of the teacher's layers is as wide as the teacher"),
        ({"student": "fresh", "width": 15}, "n_heads = 2 does not divide the width 15"),
        ({"n_layers": 3}, "n_layers = 3, but the model has 2 layers"),
    ],
)
def test_settings_that_do_not_fit_the_teacher_are_refused(
    teacher: Path, tmp_path: Path, changes: dict[str, object], message: str
):
    with pytest.raises(SettingsError, match=message):
        taught(teacher, tmp_path, **changes)


def test_a_decoder_has_no_fresh_student(tmp_path: Path):
    folder = tiny_decoder(tmp_path / "model", TEXTS)
    with pytest.raises(EncoderError, match="a fresh student of a Qwen3"):
        taught(folder, tmp_path, student="fresh")


def test_main_directions_keep_products():
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((50, 3)) @ rng.standard_normal((3, 8))).astype(np.float32)
    narrow = vectors @ main_directions(vectors, 3)
    np.testing.assert_allclose(narrow @ narrow.T, vectors @ vectors.T, atol=1e-3)


def test_a_table_holds_what_the_teacher_says_of_each_token_alone(teacher: Path):
    model = open_model(teacher)
    words = tokenizer_of(model)
    table = token_table(model, TEXTS, smoothing=1e9)
    np.testing.assert_allclose(
        table[words.token_to_id("film")], encoded(model, ["film"])[0], atol=1e-5
    )


def test_frequent_tokens_count_for_less(teacher: Path):
    model = open_model(teacher)
    words = tokenizer_of(model)
    lengths = np.linalg.norm(token_table(model, ["a a a film"], smoothing=0.25), axis=1)
    found = [lengths[words.token_to_id(word)] for word in ("a", "film", "sea")]
    np.testing.assert_allclose(found, [0.25, 0.5, 1.0], atol=1e-5)


def test_least_squares_puts_new_texts_nearer_to_where_the_teacher_has_them(teacher: Path):
    model = open_model(teacher)
    words, targets = tokenizer_of(model), encoded(model, TEXTS)
    read, new = TEXTS[::2], TEXTS[1::2]
    table = token_table(model, read, smoothing=1e-3)
    fitted = fitted_table(words, table, read, targets[::2], generator(0, "table"))

    def likeness(own: np.ndarray) -> float:
        return float((encoded(static_student(words, own), new) * targets[1::2]).sum(axis=1).mean())

    assert likeness(fitted) > 0.5 + 0.5 * likeness(table)


def test_least_squares_is_that_of_the_ridge_regression(teacher: Path):
    model = open_model(teacher)
    words, targets = tokenizer_of(model), encoded(model, TEXTS)
    table = token_table(model, TEXTS, smoothing=1e-3)
    fitted = fitted_table(words, table, TEXTS, targets, generator(0, "table"))
    lengths = np.linalg.norm(table, axis=1)
    change = (fitted - table)[lengths > 0] / lengths[lengths > 0, None]
    counts = np.zeros((len(TEXTS), len(table)))
    for row, encoding in enumerate(words.encode_batch(TEXTS, add_special_tokens=False)):
        np.add.at(counts[row], encoding.ids, 1)
    said = counts @ table
    sizes = np.linalg.norm(said, axis=1, keepdims=True)
    features = (counts * lengths / sizes)[:, lengths > 0]
    # At the minimum of |missing - X change|² + λ |change|² both gradients are in balance.
    pull = features.T @ (targets - said / sizes - features @ change)
    ridge = (pull * change).sum() / (change * change).sum()
    assert ridge > 0
    np.testing.assert_allclose(pull, ridge * change, atol=1e-3 * np.abs(pull).max())


def test_words_that_no_text_has_stay_where_they_were(teacher: Path):
    model = open_model(teacher)
    words = tokenizer_of(model)
    table = token_table(model, TEXTS, smoothing=1e-3)
    read = [text for text in TEXTS if "film" not in text]
    fitted = fitted_table(words, table, read, encoded(model, read), generator(0, "table"))
    np.testing.assert_array_equal(
        fitted[words.token_to_id("film")], table[words.token_to_id("film")]
    )
    assert not np.allclose(fitted[words.token_to_id("book")], table[words.token_to_id("book")])


def test_a_table_is_a_model_of_its_own(teacher: Path):
    model = open_model(teacher)
    table = token_table(model, TEXTS, smoothing=1e-3)
    student = static_student(tokenizer_of(model), table)
    np.testing.assert_allclose(
        encoded(student, ["film"])[0], encoded(model, ["film"])[0], atol=1e-5
    )
