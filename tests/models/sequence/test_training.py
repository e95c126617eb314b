"""One loop: it learns, stops, goes on after a stop, and is the same in several processes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open

torch = pytest.importorskip("torch")
from longtale.data.dataset import Dataset  # noqa: E402
from longtale.data.interactions import Histories  # noqa: E402
from longtale.data.query import Queries  # noqa: E402
from longtale.data.splits.folds import Fold  # noqa: E402
from longtale.data.synthetic import dataset_of, generated  # noqa: E402
from longtale.errors import DataError  # noqa: E402
from longtale.models.sequence.checkpoint import Progress  # noqa: E402
from longtale.models.sequence.retriever import SequenceRetriever  # noqa: E402
from longtale.models.sequence.settings import SequenceSettings  # noqa: E402
from longtale.models.sequence.validation import Validation, _gains  # noqa: E402
from longtale.seeds import generator  # noqa: E402

pytestmark = pytest.mark.torch

SETTINGS = SequenceSettings(width=8, batch_size=16, n_negatives=20, epochs=4, ema=0.5)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generated(generator(3, "sequence"), 40, 30, 300)


class Stop(Exception):  # noqa: N818
    """What kills a training in the test."""


def test_goes_on_after_a_stop_as_if_there_had_been_none(dataset, tmp_path):
    path, passes = tmp_path / "kept" / "training.safetensors", []

    def killed(n: int) -> None:
        passes.append(n)
        if len(passes) == 3:  # the third pass was not yet written
            raise Stop("killed")

    with pytest.raises(Stop, match="killed"):
        SequenceRetriever.fit(dataset, SETTINGS, checkpoint=path, on_progress=killed)
    with safe_open(path, framework="np") as found:
        assert len(json.loads(found.metadata()["progress"])["losses"]) == 2
    resumed = SequenceRetriever.fit(dataset, SETTINGS, checkpoint=path)
    whole = SequenceRetriever.fit(dataset, SETTINGS)
    np.testing.assert_array_equal(resumed.items, whole.items)
    np.testing.assert_array_equal(resumed.session.graph, whole.session.graph)


def test_finished_training_is_not_repeated(dataset, tmp_path):
    path, passes = tmp_path / "training.safetensors", []
    whole = SequenceRetriever.fit(dataset, SETTINGS, checkpoint=path)
    again = SequenceRetriever.fit(dataset, SETTINGS, checkpoint=path, on_progress=passes.append)
    assert passes == []
    np.testing.assert_array_equal(again.items, whole.items)


def test_checkpoint_of_another_training_is_refused(dataset, tmp_path):
    path = tmp_path / "training.safetensors"
    SequenceRetriever.fit(dataset, SETTINGS, checkpoint=path)
    other = SETTINGS.model_copy(update={"seed": 5})
    with pytest.raises(DataError, match=r"checkpoint of other settings or data.*delete it"):
        SequenceRetriever.fit(dataset, other, checkpoint=path)


def test_checkpoint_of_other_vectors_is_refused(dataset, tmp_path):
    path = tmp_path / "training.safetensors"
    settings = SETTINGS.model_copy(update={"items": "text"})
    SequenceRetriever.fit(dataset, settings, np.eye(30, dtype=np.float32), checkpoint=path)
    other = np.flip(np.eye(30, dtype=np.float32), axis=0)
    with pytest.raises(DataError, match="checkpoint of other settings or data"):
        SequenceRetriever.fit(dataset, settings, other, checkpoint=path)


def test_has_no_score_where_no_history_has_an_order():
    lonely = dataset_of(
        [
            [0],
            [1],
            [
                2,
            ],
        ],
        n_items=4,
    )
    asked = Queries.of([[0], [1, 2]])
    assert np.isnan(SequenceRetriever.fit(lonely, SETTINGS).scores(asked)).all()


def test_trains_all_passes_where_validation_has_nobody_to_answer(dataset):
    nothing = Histories.of([[]]).matrix(30)
    fold = Fold(dataset, Queries.of([[]]), Histories.of([[1]]), nothing)
    assert SequenceRetriever.fit(dataset, SETTINGS, validation=fold).n_best == SETTINGS.epochs


def test_tells_each_pass(dataset):
    passes = []
    SequenceRetriever.fit(dataset, SETTINGS, on_progress=passes.append)
    assert passes == [1] * SETTINGS.epochs


def test_best_pass_answers_and_is_what_stopping_there_gives(dataset):
    users = np.arange(dataset.n_users, dtype=np.int32)
    histories = dataset.histories(users)
    targets = Histories.of([[int(rng)] for rng in generator(4, "targets").integers(30, size=40)])
    nothing = Histories.of([[]] * 40).matrix(30)
    fold = Fold(dataset, Queries(users, histories), targets, nothing)
    settings = SETTINGS.model_copy(update={"epochs": 10, "patience": 2})
    best = SequenceRetriever.fit(dataset, settings, validation=fold)
    assert best.n_best < 10
    assert best.n_best >= 1 + np.argmax(best.curve)
    assert len(best.curve) <= best.n_best + 2
    stopped = settings.model_copy(update={"stop_after": best.n_best})
    refit = SequenceRetriever.fit(dataset, stopped)
    np.testing.assert_array_equal(refit.items, best.items)


def test_patience_counts_passes_since_the_best():
    progress = Progress()
    for value in (0.1, 0.3, 0.2, 0.1):
        assert not progress.is_over(2)
        progress = progress.followed_by(1.0, np.full(50, value), [])
    assert progress.n_best == 2
    assert progress.is_over(2)


def test_a_later_pass_that_is_not_surely_worse_is_the_best(rng):
    highest = rng.random(200)
    noise = rng.normal(size=200)
    near, far = highest + noise / 10 - 0.002, highest + noise / 10 - 0.1
    progress = Progress().followed_by(1.0, highest, ["first"])
    assert progress.followed_by(1.0, near - noise.mean() / 10, ["second"]).best == ["second"]
    assert progress.followed_by(1.0, far - noise.mean() / 10, ["second"]).best == ["first"]


def test_without_validation_the_last_pass_is_the_best():
    nobody = np.empty(0)
    progress = Progress().followed_by(1.0, nobody, []).followed_by(2.0, nobody, [])
    assert progress.n_best == 2


def test_ndcg_of_a_ranking_equals_the_formula_with_seen_items_left_out(rng):
    scores = rng.normal(size=(6, 25)).astype(np.float32)
    scores[:, 20:] = -np.inf  # not ranked
    seen = Histories.of([rng.choice(10, 3, replace=False).tolist() for _ in range(6)]).matrix(25)
    wanted = [(10 + rng.choice(15, n, replace=False)).tolist() for n in (1, 2, 3, 12, 1, 1)]
    expected = []
    for row, targets in enumerate(wanted):
        shown = np.where(seen[[row]].toarray()[0] != 0, -np.inf, scores[row])
        best = [int(i) for i in np.argsort(-shown)[:10]]
        gain = sum(1 / np.log2(best.index(t) + 2) for t in targets if t in best and t < 20)
        expected.append(gain / sum(1 / np.log2(r + 2) for r in range(min(len(targets), 10))))
    assert _gains(scores.copy(), Histories.of(wanted), seen).tolist() == pytest.approx(expected)


def test_ties_count_half():
    scores = np.zeros((1, 3), dtype=np.float32)
    nothing = Histories.of([[]]).matrix(3)
    assert _gains(scores, Histories.of([[1]]), nothing).tolist() == pytest.approx([1 / np.log2(3)])


def test_who_has_no_known_history_counts_as_missed():
    queries = Queries.of([[0], [], [2]])
    nothing = Histories.of([[]] * 3).matrix(3)
    fold = Fold(None, queries, Histories.of([[1], [1], [1]]), nothing)
    validation = Validation.of(fold, np.array([0, 1]), 5)
    assert len(validation.histories) == 1
    assert validation.n_asked == 3
