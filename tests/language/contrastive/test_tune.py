"""Fine-tuning an encoder on what people did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")
import torch
from tests.language.tiny import WIDTH, telling, tiny_encoder

from longtale.data.interactions import Histories
from longtale.errors import DataError, SettingsError
from longtale.language.contrastive.behaviour import Behaviour
from longtale.language.contrastive.loss import InBatchLoss, in_batch_loss
from longtale.language.contrastive.pair_texts import PairTexts
from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.contrastive.tune import tune
from longtale.language.model import n_weights, open_model, transformer_of

pytestmark = pytest.mark.torch
SEA = ["storm", "harbour", "sailor", "reef"]
LAND = ["kitchen", "garden", "recipe", "bread"]
TEXTS = [*(f"the {word} story" for word in SEA), *(f"the {word} tale" for word in LAND)]
HISTORIES = Histories.of([[0, 1, 2], [1, 2, 3], [2, 3, 0], [4, 5, 6], [5, 6, 7], [6, 7, 4]])
SETTINGS = ContrastiveSettings(
    objective="pairs",
    temperature=0.05,
    batch_size=8,
    n_pairs=240,
    learning_rate=5e-3,
    precision="float32",
    patience=0,
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


def behaviour(**changed: object) -> Behaviour:
    parts = {"texts": TEXTS, "titles": TEXTS, "histories": HISTORIES, **changed}
    return Behaviour(**parts)


def apart(folder: Path) -> float:
    """By how much items of one tribe are nearer to each other than to the others."""
    vectors = open_model(folder).encode(TEXTS, normalize_embeddings=True)
    near = vectors @ vectors.T
    own = (near[:4, :4].sum() + near[4:, 4:].sum() - 8) / 24
    return float(own - near[:4, 4:].mean())


def test_the_loss_is_what_a_loop_over_pairs_gives() -> None:
    torch.manual_seed(3)
    first, others = (torch.nn.functional.normalize(torch.randn(n, 6), dim=1) for n in (3, 7))
    known = torch.zeros(3, 7, dtype=torch.bool)
    known[0, 4] = known[2, 0] = known[1, 1] = True  # one's own partner stays the right answer
    log_q = torch.randn(7)
    expected = []
    for i in range(3):
        score = [float(first[i] @ others[j]) / 0.1 - float(log_q[j]) for j in range(7)]
        rest = [j for j in range(7) if j != i and not known[i, j]]
        total = np.exp(score[i]) + sum(np.exp(score[j]) for j in rest)
        expected.append(-np.log(np.exp(score[i]) / total))
    found = in_batch_loss(first, others, known=known, log_q=log_q, temperature=0.1)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_texts_of_items_chosen_together_are_no_wrong_answers(encoder: Path) -> None:
    asked = []

    def met(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        asked.append((first.tolist(), second.tolist()))
        return np.ones((len(first), len(second)), dtype=np.bool_)

    model = open_model(encoder)
    loss = InBatchLoss(model, met, torch.zeros(9), temperature=0.05)
    tokens = [model.preprocess(TEXTS[:2]), model.preprocess(TEXTS[4:6])]
    labels = torch.tensor([[0, 4], [1, 5]])
    # All but the partner is known: nothing is left to tell it from.
    assert loss(tokens, labels).item() == 0
    assert asked == [([0, 1], [4, 5, 0, 1]), ([4, 5], [0, 1, 4, 5])]


def test_a_history_is_never_taken_for_the_last_item(encoder: Path) -> None:
    model = open_model(encoder)

    def met(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.ones((len(first), len(second)), dtype=np.bool_)

    loss = InBatchLoss(model, met, torch.zeros(9), temperature=0.05)
    tokens = [model.preprocess(TEXTS[:2]), model.preprocess(TEXTS[4:6])]
    assert loss(tokens, torch.tensor([[-1, 4], [-1, 5]])).item() > 0


@pytest.mark.parametrize("objective", ["pairs", "histories"])
@pytest.mark.parametrize("kind", ["lora", "none"])
def test_items_of_one_tribe_come_near_to_each_other(
    encoder: Path, tmp_path: Path, kind: str, objective: str
) -> None:
    settings = SETTINGS.model_copy(
        update={
            "objective": objective,
            "adapter": SETTINGS.adapter.model_copy(update={"kind": kind}),
            "learning_rate": 5e-2 if kind == "lora" else 5e-3,
        }
    )
    found = tune(
        encoder, behaviour(), settings, out=tmp_path / "out", checkpoints=tmp_path / "checkpoints"
    )
    assert found.n_steps == 30
    assert apart(tmp_path / "out") > apart(encoder) + 0.2
    head = WIDTH**2 if objective == "histories" else 0
    assert n_weights(open_model(tmp_path / "out")) == n_weights(open_model(encoder)) + head
    assert open_model(tmp_path / "out").max_seq_length == open_model(encoder).max_seq_length


def test_a_head_learns_on_a_model_that_stays_as_it_is(encoder: Path, tmp_path: Path) -> None:
    settings = ContrastiveSettings(head_steps=40, head_learning_rate=2e-2, max_tokens=8)
    told: dict[str, list[int]] = {}
    found = tune(
        encoder,
        behaviour(),
        settings,
        out=tmp_path / "out",
        checkpoints=tmp_path / "checkpoints",
        stages=telling(told),
    )
    assert found.n_steps == found.n_best == sum(told["learn of 40"]) == 40
    assert sum(told["read of 8"]) == 8
    before, after = open_model(encoder), open_model(tmp_path / "out")
    assert after.max_seq_length == before.max_seq_length
    own = dict(transformer_of(after).named_parameters())
    for name, weights in transformer_of(before).named_parameters():
        torch.testing.assert_close(own[name], weights)
    assert n_weights(after) == n_weights(before) + WIDTH**2
    assert apart(tmp_path / "out") > apart(encoder) + 0.2


def test_a_head_that_brings_nothing_is_left_as_it_began(encoder: Path, tmp_path: Path) -> None:
    where = {"out": tmp_path / "out", "checkpoints": tmp_path / "checkpoints"}
    settings = ContrastiveSettings(head_steps=4, n_evaluations=2)
    scores = iter([0.4, 0.3, 0.2])
    found = tune(encoder, behaviour(), settings, score=lambda encode: next(scores), **where)
    assert found.curve == {0: 0.4, 2: 0.3, 4: 0.2}
    assert found.n_best == 0
    before, after = open_model(encoder), open_model(tmp_path / "out")
    np.testing.assert_allclose(after.encode(TEXTS), before.encode(TEXTS), atol=1e-6)


def test_a_head_without_steps_learns_nothing(encoder: Path, tmp_path: Path) -> None:
    where = {"out": tmp_path / "out", "checkpoints": tmp_path / "checkpoints"}
    with pytest.raises(SettingsError, match="head_steps = 0"):
        tune(encoder, behaviour(), ContrastiveSettings(head_steps=0), **where)


@pytest.mark.parametrize("objective", ["pairs", "histories"])
def test_training_keeps_what_was_best_and_goes_on_where_it_was(
    encoder: Path, tmp_path: Path, objective: str
) -> None:
    scores = iter([0.5, 0.9, 0.1, 0.2])
    settings = SETTINGS.model_copy(
        update={"n_evaluations": 4, "max_steps": 8, "objective": objective}
    )
    told: dict[str, list[int]] = {}
    found = tune(
        encoder,
        behaviour(),
        settings,
        out=tmp_path / "out",
        checkpoints=tmp_path / "checkpoints",
        score=lambda _: next(scores),
        stages=telling(told),
    )
    assert list(found.curve.values()) == [0.5, 0.9, 0.1, 0.2]
    assert found.n_best == 4
    assert sum(told["train of 8"]) == 8
    again = tune(
        encoder,
        behaviour(),
        settings,
        out=tmp_path / "again",
        checkpoints=tmp_path / "checkpoints",
        score=lambda _: pytest.fail("there is nothing left to do"),
    )
    assert again.curve == found.curve
    vectors = (open_model(tmp_path / name).encode(TEXTS) for name in ("out", "again"))
    np.testing.assert_allclose(*vectors, atol=1e-5)


def test_histories_are_told_by_their_last_titles_and_blank_items_are_left_out(
    encoder: Path, tmp_path: Path
) -> None:
    from longtale.seeds import generator

    settings = SETTINGS.model_copy(update={"user_share": 1.0, "history": 2})
    texts = [*TEXTS[:7], " "]
    pairs = PairTexts.drawn(behaviour(texts=texts), settings, generator(0, "x"))
    rows = pairs.as_dataset(behaviour(texts=texts), 2)
    told = {(row["first"], row["text 1"]) for row in rows}
    assert (f"{TEXTS[1]}; {TEXTS[0]}", TEXTS[2]) in told
    assert (TEXTS[5], TEXTS[6]) in told
    assert {row["label"][0] for row in rows} == {-1}
    assert 7 not in {row["label"][1] for row in rows}


def test_hard_negatives_are_near_and_were_never_chosen_together(encoder: Path) -> None:
    from longtale.seeds import generator

    settings = SETTINGS.model_copy(update={"hard_negatives": 2})
    near = np.array([[1, 4, 5]] * 4 + [[0, 1, 5]] * 4, dtype=np.int32)
    pairs = PairTexts.drawn(behaviour(near=near), settings, generator(0, "x"))
    for _, partner, *wrong in pairs.items.tolist():
        assert sorted(wrong) == ([4, 5] if partner < 4 else [0, 1])
    with pytest.raises(DataError, match="hard_negatives = 2, but nobody said"):
        PairTexts.drawn(behaviour(), settings, generator(0, "x"))


def test_items_that_nobody_chose_together_teach_nothing(encoder: Path, tmp_path: Path) -> None:
    alone = behaviour(histories=Histories.of([[0], [1], [2]]))
    with pytest.raises(DataError, match="nobody chose two of them"):
        tune(encoder, alone, SETTINGS, out=tmp_path / "out", checkpoints=tmp_path / "checkpoints")
