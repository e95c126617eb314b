"""Heads that learn on top of tiny language models."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from sklearn.linear_model import LogisticRegression
from tests.language.tiny import tiny_encoder

from longtale.errors import DataError, EncoderError, SettingsError
from longtale.language.heads.examples import HeadExample
from longtale.language.heads.fit import fit_heads
from longtale.language.heads.fitted import FittedHeads
from longtale.language.heads.settings import HeadSettings, HeadTask
from longtale.language.model import open_model
from longtale.language.settings import AdapterSettings

pytestmark = pytest.mark.torch
WORDS = ("sea", "love", "war")
STARS = {"sea": 1.0, "love": 3.0, "war": 5.0}
EXAMPLES = [
    HeadExample(
        f"likes {a} {n}",
        f"film of {b}",
        {"click": float(b == "love"), "buy": float(WORDS.index(b)), "stars": STARS[b]},
    )
    for n in range(12)
    for a in WORDS
    for b in WORDS
]
USERS, ITEMS = [e.user for e in EXAMPLES[:9]], [e.item for e in EXAMPLES[:9]]
TASKS = (
    HeadTask(),
    HeadTask(name="buy", kind="conversion"),
    HeadTask(name="stars", kind="rating"),
)
QUICK = HeadSettings(
    tasks=TASKS,
    batch_size=16,
    epochs=12,
    n_evaluations=3,
    head_dropout=0.2,
    head_learning_rate=1e-2,
    learning_rate=2e-3,
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [text for example in EXAMPLES for text in (example.user, example.item)]
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), texts)


def fitted(
    encoder: Path,
    folder: Path,
    *,
    score: Callable[[FittedHeads], float] | None = None,
    **changes: object,
) -> FittedHeads:
    return fit_heads(
        encoder,
        EXAMPLES,
        QUICK.model_copy(update=changes),
        out=folder / "out",
        checkpoints=folder / "checkpoints",
        score=score,
    )


def test_several_tasks_are_learned_at_once(encoder: Path, tmp_path: Path) -> None:
    heads = fitted(encoder, tmp_path)
    answers = heads.predict(USERS, ITEMS)
    click, buy, stars = (answers[task.name] for task in TASKS)
    happened = np.array([e.labels["click"] for e in EXAMPLES[:9]]) == 1
    assert click[happened].min() > click[~happened].max()
    assert buy.argmax(axis=1).tolist() == [e.labels["buy"] for e in EXAMPLES[:9]]
    np.testing.assert_allclose(buy.sum(axis=1), 1, rtol=1e-5)
    assert np.corrcoef(stars, [e.labels["stars"] for e in EXAMPLES[:9]])[0, 1] > 0.95


def test_a_frozen_model_stays_as_it_was(encoder: Path, tmp_path: Path) -> None:
    fitted(encoder, tmp_path, max_steps=2)
    after = open_model(tmp_path / "out" / "encoder").encode(USERS)
    np.testing.assert_allclose(after, open_model(encoder).encode(USERS), atol=1e-6)


@pytest.mark.parametrize("kind", ["lora", "ia3", "prefix", "prompt", "layers", "pair"])
def test_what_was_saved_answers_the_same(encoder: Path, tmp_path: Path, kind: str) -> None:
    ways: dict[str, dict[str, object]] = {
        "layers": {"train_layers": 1},
        "pair": {"train_layers": None, "reads": "pair"},
    }
    adapter = AdapterSettings.parse({"kind": kind, "n_tokens": 4}) if kind not in ways else None
    changes = ways[kind] if adapter is None else {"adapter": adapter, "learning_rate": 0.05}
    changes |= {"max_steps": 4, "n_evaluations": 1, "head_epochs": 1.0}
    counter = itertools.count()
    heads = fitted(encoder, tmp_path, score=lambda _: next(counter), **changes)
    click = heads.predict(USERS, ITEMS)["click"]
    loaded = FittedHeads.load(tmp_path / "out")
    np.testing.assert_allclose(loaded.predict(USERS, ITEMS)["click"], click, atol=1e-5)
    if kind not in ("prefix", "pair"):
        plain = open_model(tmp_path / "out" / "encoder")
        np.testing.assert_allclose(plain.encode(USERS), heads.encoder.encode(USERS), atol=1e-5)
        assert np.abs(plain.encode(USERS) - open_model(encoder).encode(USERS)).max() > 1e-4


@pytest.mark.parametrize("best", [0, 1])
def test_the_given_score_decides_which_weights_stay(
    encoder: Path, tmp_path: Path, best: int
) -> None:
    seen: list[np.ndarray] = []

    def one_is_best(heads: FittedHeads) -> float:
        seen.append(heads.head.layers[1].weight.detach().numpy().copy())
        return -abs(len(seen) - 1 - best)

    heads = fitted(encoder, tmp_path, score=one_is_best)
    kept = heads.head.layers[1].weight.detach().numpy()
    np.testing.assert_array_equal(kept, seen[best])
    assert np.abs(seen[-1] - seen[best]).max() > 1e-3


def test_heads_begin_as_a_linear_rule_of_the_features(encoder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 2)).astype(np.float32)
    features[::7, 0] = np.nan
    labels = (np.nan_to_num(features).sum(axis=1) + rng.normal(size=200) > 0).astype(np.float32)
    examples = [
        HeadExample("", "sea", {"click": float(label)}, tuple(row))
        for label, row in zip(labels, features.tolist(), strict=True)
    ]
    heads = fit_heads(
        encoder,
        examples,
        HeadSettings(tasks=(HeadTask(balance=0.0),), max_steps=1, head_learning_rate=1e-12),
        out=tmp_path / "out",
        checkpoints=tmp_path / "checkpoints",
        held_out=examples,
    )
    standard = np.nan_to_num((features - np.nanmean(features, 0)) / np.nanstd(features, 0))
    rule = LogisticRegression(C=1.0).fit(standard, labels)
    own = heads.head(*torch.zeros(2, 200, 32), torch.from_numpy(features))[:, 0]
    np.testing.assert_allclose(own.detach(), rule.decision_function(standard), atol=1e-3)


def test_an_adapter_and_layers_do_not_learn_at_once(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"train_layers = 1 and adapter.kind = 'lora'"):
        fitted(encoder, tmp_path, train_layers=1, adapter=AdapterSettings(kind="lora"))


def test_other_features_than_learned_from_are_refused(encoder: Path, tmp_path: Path) -> None:
    heads = fitted(encoder, tmp_path, max_steps=2)
    with pytest.raises(DataError, match="learned from 0 features and were given 1"):
        heads.predict(USERS, ITEMS, np.zeros((9, 1), dtype=np.float32))


def test_a_folder_without_heads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"heads.json is missing"):
        FittedHeads.load(tmp_path)
