"""Cross-encoders that read both texts at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from tests.language.tiny import tiny_decoder, tiny_encoder

from longtale.errors import DataError, EncoderError
from longtale.language.model import n_weights, open_model
from longtale.language.reranker import Reranker, RerankerSettings, fit_reranker
from longtale.language.settings import AdapterSettings

pytestmark = pytest.mark.torch
WORDS = ("sea", "love", "war")
PAIRS = [(f"wants {a} {n}", f"film of {b}") for n in range(30) for a in WORDS for b in WORDS]
LABELS = [
    float(WORDS.index(query.split()[1]) + WORDS.index(item.split()[-1]) <= 1)
    for query, item in PAIRS
]
"""A third of all; neither text tells it alone."""
TEXTS = [text for pair in PAIRS for text in pair]
QUICK = RerankerSettings(
    epochs=12, learning_rate=3e-3, batch_size=16, n_evaluations=4, max_tokens=16, dropout=0.0
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="module")
def fitted(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reranker, Path]:
    folder = tmp_path_factory.mktemp("reranker")
    found = fit_reranker(
        encoder, PAIRS, LABELS, QUICK, out=folder / "out", checkpoints=folder / "checkpoints"
    )
    return found, folder / "out"


def test_it_learns_which_item_suits(fitted: tuple[Reranker, Path]) -> None:
    scores = fitted[0].scores(*zip(*PAIRS, strict=True))
    right = np.array(LABELS) > 0
    assert scores[right].min() > scores[~right].max()


def test_scores_are_probabilities(fitted: tuple[Reranker, Path]) -> None:
    scores = fitted[0].scores(*zip(*PAIRS, strict=True))
    assert scores.dtype == np.float32
    assert 0 <= scores.min() < scores.max() <= 1
    assert abs(scores.mean() - 1 / 3) < 0.1


def test_what_was_saved_scores_the_same(fitted: tuple[Reranker, Path]) -> None:
    reranker, folder = fitted
    texts = tuple(zip(*PAIRS[:7], strict=True))
    np.testing.assert_allclose(
        Reranker.load(folder).scores(*texts), reranker.scores(*texts), atol=1e-6
    )


def test_no_pair_has_no_score(fitted: tuple[Reranker, Path]) -> None:
    assert fitted[0].scores([], []).shape == (0,)


@pytest.mark.parametrize("kind", ["lora", "none"])
def test_an_adapter_or_the_head_alone_leaves_a_plain_model(
    encoder: Path, tmp_path: Path, kind: str
) -> None:
    settings = QUICK.model_copy(
        update={
            "max_steps": 2,
            "adapter": AdapterSettings.parse({"kind": kind}),
            "train_layers": None if kind == "lora" else 0,
        }
    )
    found = fit_reranker(
        encoder, PAIRS, LABELS, settings, out=tmp_path / "out", checkpoints=tmp_path / "steps"
    )
    loaded = Reranker.load(tmp_path / "out")
    width = open_model(encoder).get_embedding_dimension()
    assert n_weights(loaded.model) == n_weights(open_model(encoder)) + width + 1
    texts = tuple(zip(*PAIRS[:7], strict=True))
    np.testing.assert_allclose(loaded.scores(*texts), found.scores(*texts), atol=1e-5)


def test_a_decoder_can_begin_it(tmp_path: Path) -> None:
    decoder = tiny_decoder(tmp_path / "tiny", TEXTS)
    settings = QUICK.model_copy(update={"max_steps": 2})
    found = fit_reranker(
        decoder, PAIRS, LABELS, settings, out=tmp_path / "out", checkpoints=tmp_path / "steps"
    )
    texts = tuple(zip(*PAIRS[:7], strict=True))
    np.testing.assert_allclose(
        Reranker.load(tmp_path / "out").scores(*texts), found.scores(*texts), atol=1e-5
    )


def test_the_given_score_decides_which_weights_stay(encoder: Path, tmp_path: Path) -> None:
    seen: list[np.ndarray] = []

    def first_is_best(reranker: Reranker) -> float:
        seen.append(reranker.scores(["wants sea 1"], ["film of war"]))
        return -len(seen)

    settings = QUICK.model_copy(update={"epochs": 1.0})
    found = fit_reranker(
        encoder,
        PAIRS,
        LABELS,
        settings,
        out=tmp_path / "out",
        checkpoints=tmp_path / "steps",
        score=first_is_best,
    )
    last = found.scores(["wants sea 1"], ["film of war"])
    assert len(seen) > 1
    np.testing.assert_allclose(last, seen[0], atol=1e-6)
    assert abs(float(seen[0][0] - seen[-1][0])) > 1e-4


@pytest.mark.parametrize(
    ("pairs", "labels", "message"),
    [
        (PAIRS, LABELS[:-1], "270 pairs and 269 labels were given"),
        (PAIRS, [5.0] * len(PAIRS), "labels reach from 5 to 5"),
        (PAIRS[:3], LABELS[:3], "3 pairs are too few to hold 10% out"),
        ([], [], "0 pairs are too few"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    encoder: Path,
    tmp_path: Path,
    pairs: list[tuple[str, str]],
    labels: list[float],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        fit_reranker(
            encoder, pairs, labels, QUICK, out=tmp_path / "out", checkpoints=tmp_path / "steps"
        )


def test_texts_come_in_pairs(fitted: tuple[Reranker, Path]) -> None:
    with pytest.raises(DataError, match="2 queries and 1 items were given"):
        fitted[0].scores(["one", "two"], ["one"])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="there is no cross-encoder in"):
        Reranker.load(tmp_path)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        fit_reranker(
            tmp_path, PAIRS, LABELS, QUICK, out=tmp_path / "out", checkpoints=tmp_path / "steps"
        )
