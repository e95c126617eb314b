"""Words replaced by what a model finds likely."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from tests.language.tiny import tiny_encoder

from longtale.errors import EncoderError
from longtale.language.augment.substitutes import Substitutes
from longtale.language.pretrain.pretrain import pretrain
from longtale.language.pretrain.settings import PretrainSettings

pytestmark = pytest.mark.torch
COLOURS, THINGS = ("red", "green", "blue", "dark"), ("ship", "house", "horse", "garden")
TEXTS = [f"{a} {b} is a {b} that is {a}" for a in COLOURS for b in THINGS] * 2
WORD = re.compile(r"[^\W\d_]+")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="module")
def substitutes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Substitutes:
    work = tmp_path_factory.mktemp("learned")
    settings = PretrainSettings(
        epochs=40, batch_size=8, learning_rate=3e-3, new_learning_rate=3e-3, patience=0
    )
    pretrain(folder, TEXTS, [], settings, out=work / "out", checkpoints=work / "ck")
    return Substitutes.open(work / "out")


def replaced(substitutes: Substitutes, text: str, share: float, seed: int = 0, **more: int) -> str:
    rng = np.random.default_rng(seed)
    return substitutes.replaced([text], share=share, rng=rng, **more)[0]


@pytest.mark.parametrize("share, n_changed", [(0.01, 1), (0.5, 4), (1.0, 8)])
def test_a_share_of_the_words_becomes_others_and_all_else_stays(substitutes, share, n_changed):
    text = "(red)  ship, is a ship... that: is\n7 red!"
    found = replaced(substitutes, text, share)
    assert WORD.split(found) == WORD.split(text)
    pairs = zip(WORD.findall(text), WORD.findall(found), strict=True)
    assert sum(before != after for before, after in pairs) == n_changed


def test_the_model_says_which_words_fit(substitutes):
    likely = [
        replaced(substitutes, "blue ship is a ship", 0.01, seed, n_best=3) for seed in range(30)
    ]
    first = {text.split()[0] for text in likely if not text.startswith("blue")}
    assert first
    assert first <= {*COLOURS, *THINGS}


def test_the_same_dice_give_the_same_words(substitutes):
    assert replaced(substitutes, TEXTS[0], 0.5) == replaced(substitutes, TEXTS[0], 0.5)
    assert len({replaced(substitutes, TEXTS[0], 0.5, seed) for seed in range(5)}) > 1


def test_a_text_does_not_depend_on_its_neighbours(substitutes):
    told: list[int] = []
    many = [*TEXTS, *TEXTS]
    rng = np.random.default_rng(0)
    found = substitutes.replaced(many, share=0.2, rng=rng, on_progress=told.append)
    assert len(found) == sum(told) == len(many)
    assert found[0] == replaced(substitutes, TEXTS[0], 0.2)


def test_more_words_may_be_asked_for_than_there_are(substitutes):
    found = replaced(substitutes, "red ship", 1.0, n_best=5000).split()
    assert len(found) == 2
    assert "red" not in found[0]


@pytest.mark.parametrize("text", ["", "  ", "1984!", "[MASK]7"])
def test_a_text_without_words_stays_or_keeps_what_is_no_word(substitutes, text):
    found = replaced(substitutes, text, 1.0)
    assert WORD.split(found) == WORD.split(text)


def test_words_beyond_what_the_model_reads_stay(substitutes):
    text = "red ship " * 60
    found = replaced(substitutes, text, 1.0).split()
    assert found[0] != "red"
    assert found[-1] == "ship"
    assert len(found) == 120


def test_a_model_without_a_head_for_words_is_refused(folder):
    with pytest.raises(EncoderError, match="cannot tell hidden words"):
        Substitutes.open(folder)
