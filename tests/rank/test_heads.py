from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from longtale.errors import DataError, SettingsError
from longtale.rank.calibration import Reliability, auc
from longtale.rank.heads import Heads
from longtale.rank.tasks import HeadsSettings, Labelled, TaskSettings

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

CLICK = TaskSettings()
BUY = TaskSettings(name="buy", kind="conversion", classes=3)
RATING = TaskSettings(name="rating", kind="rating")
SETTINGS = HeadsSettings(
    tasks=(CLICK, BUY, RATING), experts=3, hidden=16, tower=8, epochs=15, learning_rate=0.01
)


def rows(rng, n=2000) -> Labelled:
    """Give rows where a product of two features decides the click, and a sum the rest."""
    x = rng.normal(size=(n, 4)).astype(np.float32)
    x[:, 1] = 100 + 20 * x[:, 1]
    product, total = x[:, 0] * (x[:, 1] - 100) / 20, x[:, 2] + x[:, 3]
    labels = {
        "click": (product + rng.normal(size=n) * 0.3 > 0).astype(np.float32),
        "buy": np.digitize(total, [-1, 1]).astype(np.float32),
        "rating": (3 + total).astype(np.float32),
    }
    x[rng.random(x.shape) < 0.02] = np.nan
    labels["rating"][: n // 4] = np.nan
    return Labelled(x, labels)


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(3)
    return rows(rng), rows(rng, 600), rows(rng, 600)


@pytest.fixture(scope="module")
def heads(parts) -> Heads:
    return Heads.fit(parts[0], parts[1], SETTINGS)


def test_each_task_is_learned(heads, parts):
    asked = parts[2]
    answer = heads.answer(asked.features)
    assert auc(answer["click"], asked.labels["click"]) > 0.9
    assert (answer["buy"].argmax(axis=1) == asked.labels["buy"]).mean() > 0.8
    known = ~np.isnan(asked.labels["rating"])
    gaps = answer["rating"][known] - asked.labels["rating"][known]
    assert np.sqrt(np.mean(gaps**2)) < 0.5 * np.std(asked.labels["rating"][known])


def test_answers_are_probabilities_and_kept(heads, parts):
    asked = parts[2]
    answer = heads.answer(asked.features)
    assert answer["click"].dtype == np.float32
    assert ((answer["click"] >= 0) & (answer["click"] <= 1)).all()
    np.testing.assert_allclose(answer["buy"].sum(axis=1), 1, rtol=1e-5)
    assert Reliability.of(answer["click"], asked.labels["click"], n_bins=5).error < 0.08


def test_numpy_answers_what_torch_learned(heads, parts):
    import torch

    from longtale.rank.heads import outputs
    from longtale.rank.heads_training import forward
    from longtale.rank.tasks import prepared

    x = prepared(parts[2].features, heads.weights)
    ours = outputs(heads.weights, x, SETTINGS)
    tensors = {name: torch.from_numpy(array) for name, array in heads.weights.items()}
    theirs = forward(tensors, torch.from_numpy(x), SETTINGS)
    np.testing.assert_allclose(ours["click"], theirs["click"].numpy(), atol=1e-4)
    np.testing.assert_allclose(ours["buy"], theirs["buy"].numpy(), atol=1e-4)
    scaled = theirs["rating"].numpy() * heads.weights["rating_scale"] + heads.weights["rating_mean"]
    np.testing.assert_allclose(ours["rating"], scaled, atol=1e-4)


def test_experts_are_mixed_as_the_paper_says(heads, parts):
    from longtale.rank.heads import outputs
    from longtale.rank.tasks import prepared

    x = prepared(parts[2].features[:1], heads.weights)[0].astype(np.float64)
    w = heads.weights
    experts = [np.maximum(x @ w["expert"][e] + w["expert_bias"][e], 0) for e in range(3)]
    gate = np.exp(x @ w["gate.click"])
    gate /= gate.sum()
    mixed = sum(g * h for g, h in zip(gate, experts, strict=True))
    tower = np.maximum(mixed @ w["tower.click"] + w["tower_bias.click"], 0)
    expected = tower @ w["out.click"] + w["out_bias.click"]
    found = outputs(w, x[None].astype(np.float32), SETTINGS)["click"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_rows_without_a_rating_still_teach_the_click(parts):
    learned, held_out, asked = parts
    labels = {**learned.labels, "rating": np.full(2000, np.nan, dtype=np.float32)}
    labels["rating"][:3] = 1, 2, 3
    little = TaskSettings(name="rating", kind="rating", weight=0.01)
    settings = SETTINGS.model_copy(update={"tasks": (CLICK, BUY, little)})
    heads = Heads.fit(Labelled(learned.features, labels), held_out, settings)
    assert auc(heads.answer(asked.features)["click"], asked.labels["click"]) > 0.9


def test_batch_equals_singles(heads, parts):
    some = parts[2].features[:5]
    together = heads.answer(some)
    for row in range(5):
        for name, value in heads.answer(some[[row]]).items():
            np.testing.assert_allclose(value[0], together[name][row], rtol=1e-5, atol=1e-6)


def test_same_seed_gives_same_network(heads, parts):
    again = Heads.fit(parts[0], parts[1], SETTINGS)
    for name, array in heads.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)


def test_restored_answers_bit_equal(heads, parts):
    restored = Heads.restore(SETTINGS, heads.state())
    for name, value in heads.answer(parts[2].features).items():
        np.testing.assert_array_equal(restored.answer(parts[2].features)[name], value)


@pytest.mark.parametrize(
    "change",
    [
        {"experts": 1},
        {"hidden": 8},
        {"tower": 4},
        {"dropout": 0.5},
        {"learning_rate": 0.001},
        {"decay": 1.0},
        {"batch": 64},
        {"epochs": 1},
        {"patience": 1},
        {"seed": 1},
        {"tasks": (CLICK, BUY, TaskSettings(name="rating", kind="rating", weight=9))},
        {"tasks": (TaskSettings(calibration="isotonic"), BUY, RATING)},
    ],
)
def test_each_setting_changes_something(parts, change):
    few = SETTINGS.model_copy(update={"epochs": 12, "learning_rate": 0.1})
    usual = Heads.fit(parts[0], parts[1], few).answer(parts[2].features)["click"]
    other = Heads.fit(parts[0], parts[1], few.model_copy(update=change))
    assert not np.array_equal(usual, other.answer(parts[2].features)["click"])


def test_answering_needs_no_torch():
    code = "import sys, longtale.rank.heads; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_other_features_than_learned_are_refused(heads):
    with pytest.raises(DataError, match="from 4 features and were given 3"):
        heads.answer(np.zeros((2, 3), dtype=np.float32))


def test_a_task_without_labels_is_an_error(parts):
    bare = Labelled(parts[0].features, {"click": parts[0].labels["click"]})
    with pytest.raises(DataError, match=r"task 'buy' has no labels; there are labels of \['click'"):
        Heads.fit(bare, parts[1], SETTINGS)


def test_labels_that_are_no_class_are_an_error(parts):
    wrong = {**parts[0].labels, "buy": parts[0].labels["buy"] + 1}
    with pytest.raises(DataError, match="labels of task 'buy' reach from 1 to 3"):
        Heads.fit(Labelled(parts[0].features, wrong), parts[1], SETTINGS)


def test_tasks_of_one_name_are_refused():
    with pytest.raises(SettingsError, match="names of their own"):
        HeadsSettings.parse({"tasks": [{"name": "a"}, {"name": "a"}]})
