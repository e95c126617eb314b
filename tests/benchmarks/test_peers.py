"""What the peers' runners compute by themselves equals what Longtale's evaluator would."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers.compare import MODELS, is_wanted
from benchmarks.peers.environments import PINS, RUNNERS
from benchmarks.peers.exchange import arrays_of, read_answer, scored
from benchmarks.peers.runners import task as runners

from longtale.data.splits.split import Fold, ProtocolName, SplitSettings, split
from longtale.data.synthetic import two_tribes
from longtale.evaluate.accuracy import TargetRanks, ndcg, target_ranks


@pytest.fixture
def fold() -> Fold:
    return split(two_tribes(np.random.default_rng(0)), ProtocolName.REFIT, SplitSettings()).test


@pytest.fixture
def task(fold: Fold, tmp_path: Path) -> runners.Task:
    np.savez(tmp_path / "test.npz", **arrays_of(fold))
    return runners.Task.read(tmp_path / "test.npz")


def tied_scores(fold: Fold) -> np.ndarray:
    """Few different values, some of them missing."""
    scores = np.random.default_rng(1).integers(4, size=(len(fold), fold.train.n_items))
    return np.where(scores == 3, np.nan, scores).astype(np.float32)


def test_task_holds_what_the_fold_holds(fold: Fold, task: runners.Task) -> None:
    assert (task.train() != fold.train.matrix()).nnz == 0
    assert (task.queries() != fold.queries.histories.matrix(fold.train.n_items)).nnz == 0
    every = np.arange(len(fold))
    assert np.array_equal(task.seen(every), fold.seen.toarray() != 0)
    own = [task.targets(request).tolist() for request in every]
    assert own == [fold.targets.take(np.array([request])).items.tolist() for request in every]


def test_ranks_of_scores_equal_those_of_the_evaluator(fold: Fold, task: runners.Task) -> None:
    scores = tied_scores(fold)
    answer, _ = runners.by_scores(task, lambda requests: scores[requests], batch=7)
    expected = target_ranks(scores, fold.targets, masked=fold.seen)
    assert answer.ranks.tolist() == expected.ranks.tolist()
    assert answer.n_ranked.tolist() == expected.n_ranked.tolist()


def test_lists_hold_the_best_that_is_not_masked(fold: Fold, task: runners.Task) -> None:
    scores = np.random.default_rng(1).random((len(fold), fold.train.n_items), dtype=np.float32)
    answer, _ = runners.by_scores(task, lambda requests: scores[requests])
    allowed = np.where(fold.seen.toarray() != 0, -np.inf, scores)
    assert answer.lists[:, 0].tolist() == allowed.argmax(axis=1).tolist()
    n_seen = np.count_nonzero(fold.seen.toarray(), axis=1)
    assert np.count_nonzero(answer.lists < 0, axis=1).tolist() == n_seen.tolist()


def test_whole_lists_rank_as_their_scores_do(fold: Fold, task: runners.Task) -> None:
    scores = np.nan_to_num(tied_scores(fold), nan=-1.0)
    allowed = np.where(fold.seen.toarray() != 0, -np.inf, scores)
    order = np.argsort(-allowed, axis=1, kind="stable")
    own = np.take_along_axis(allowed, order, axis=1)
    answer = runners.by_lists(task, np.where(own > -np.inf, order, -1), own)
    expected = target_ranks(scores, fold.targets, masked=fold.seen)
    assert answer.ranks.tolist() == expected.ranks.tolist()


def test_what_is_not_listed_is_tied_behind_the_list(fold: Fold, task: runners.Task) -> None:
    nothing = np.full((len(fold), 3), -1)
    answer = runners.by_lists(task, nothing, np.full((len(fold), 3), np.nan))
    assert np.array_equal(answer.ranks, (1 + answer.n_ranked) / 2)


def test_settings_are_chosen_by_the_evaluators_ndcg(fold: Fold, task: runners.Task) -> None:
    ranks = target_ranks(tied_scores(fold), fold.targets, masked=fold.seen)
    assert runners.ndcg(task, ranks.ranks) == pytest.approx(ndcg(ranks, 10).mean())


def test_answer_is_scored_by_the_evaluator(fold: Fold, tmp_path: Path) -> None:
    best = np.ones(len(fold.targets.items))
    lists = fold.targets.items[:, None].astype(np.int32)
    n_ranked = np.full(len(fold), fold.train.n_items)
    np.savez(tmp_path / "answer.npz", ranks=best, n_ranked=n_ranked, lists=lists)
    (tmp_path / "answer.json").write_text('{"fit_cpu_s": 1.5}')
    measured = read_answer("perfect", fold, tmp_path / "answer")
    assert measured.values["ndcg@10"] == measured.values["recall@10"] == 1.0
    assert measured.cost == {"fit_cpu_s": 1.5}
    assert measured.per_user.shape == (len(fold),)
    worst = TargetRanks(fold.targets.offsets, best + 10, n_ranked)
    assert scored(fold, worst, lists)[0]["recall@10"] == 0.0


def test_every_peer_has_a_runner_and_models() -> None:
    assert set(MODELS) == set(PINS) == {each.stem[3:] for each in RUNNERS.glob("of_*.py")}
    assert is_wanted("irspack", "EASE", ["irspack"])
    assert not is_wanted("irspack", "EASE", ["irspack SLIM"])
