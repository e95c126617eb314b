"""What every runner shares: the task it is given, the answer it writes; numpy and scipy alone.

A runner is called as `python RUNNER.py MODEL FOLDER ANSWER`. FOLDER holds `validation.npz` and
`test.npz` (see `exchange.py`). Each of the model's settings is fitted and judged by nDCG@10 on the
validation requests; the best is fitted on the test fold's training data, and its lists and its
targets' ranks on the full catalogue go to ANSWER.npz, what they cost to ANSWER.json.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

LISTED = 100


@dataclass(frozen=True, eq=False)
class Task:
    """One fold: U users and N items are rows, histories are oldest first, B requests are asked.

    Args:
        n_items: N.
        offsets: int64 (U + 1,), where each user's training events begin.
        items: int32 (n,), items of the training events.
        users: int32 (B,), who asks.
        query_offsets: int64 (B + 1,), where each request's history begins.
        query_items: int32 (m,), the histories; they may hold more than the training events.
        target_offsets: int64 (B + 1,), where each request's targets begin.
        target_items: int32 (t,), what they came to want.
        seen_offsets: int64 (B + 1,), where each request's masked items begin.
        seen_items: int32 (s,), what is masked.
    """

    n_items: int
    offsets: np.ndarray
    items: np.ndarray
    users: np.ndarray
    query_offsets: np.ndarray
    query_items: np.ndarray
    target_offsets: np.ndarray
    target_items: np.ndarray
    seen_offsets: np.ndarray
    seen_items: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Task:
        with np.load(path) as arrays:
            return cls(int(arrays["n_items"]), **{k: arrays[k] for k in arrays if k != "n_items"})

    def __len__(self) -> int:
        return len(self.users)

    def train(self) -> sparse.csr_matrix:
        """Interest of the users as float32 (U, N); repeated events add up."""
        return self._matrix(self.offsets, self.items)

    def queries(self) -> sparse.csr_matrix:
        """Histories of the requests as float32 (B, N)."""
        return self._matrix(self.query_offsets, self.query_items)

    def seen(self, requests: np.ndarray) -> np.ndarray:
        """What is masked for these requests, bool (b, N)."""
        masked = np.zeros((len(requests), self.n_items), dtype=bool)
        for row, request in enumerate(requests):
            masked[row, self.seen_items[_segment(self.seen_offsets, request)]] = True
        return masked

    def targets(self, request: int) -> np.ndarray:
        return self.target_items[_segment(self.target_offsets, request)]

    def _matrix(self, offsets: np.ndarray, items: np.ndarray) -> sparse.csr_matrix:
        ones = np.ones(len(items), dtype=np.float32)
        matrix = sparse.csr_matrix((ones, items, offsets), shape=(len(offsets) - 1, self.n_items))
        matrix.sum_duplicates()
        return matrix


@dataclass(frozen=True, eq=False)
class Answer:
    """Lists int32 (B, K), ranks float64 (t,) of the targets, length int64 (B,) of each ranking."""

    lists: np.ndarray
    ranks: np.ndarray
    n_ranked: np.ndarray


Scores = Callable[[np.ndarray], np.ndarray]
"""From the numbers of b requests to float (b, N), NaN or -inf where the model cannot say."""
Lists = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""From K to items (B, K), -1 is padding, and their scores (B, K): for who gives only lists."""


@dataclass(frozen=True, eq=False)
class Model:
    """How a model is fitted, and which settings are tried.

    Args:
        fit: from a task and settings to who answers it.
        settings: the settings that are tried; one alone is taken as it is.
        gives_lists: whether `fit` gives `Lists`, not `Scores`.
        batch: how many requests are scored at once.
    """

    fit: Callable[..., Any]
    settings: Sequence[Mapping[str, Any]] = ({},)
    gives_lists: bool = False
    batch: int = 256


def main(models: Mapping[str, Model]) -> None:
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    model = models[name]
    start = time.process_time()
    chosen = _chosen(model, Task.read(folder / "validation.npz"))
    tuned = time.process_time()
    task = Task.read(folder / "test.npz")
    fitted = model.fit(task, **chosen)
    ready = time.process_time()
    answer, spent = _answered(model, fitted, task)
    arrays = {"lists": answer.lists, "ranks": answer.ranks, "n_ranked": answer.n_ranked}
    np.savez(out.with_suffix(".npz"), **arrays)
    cost = {
        "settings": dict(chosen),
        "tried": len(model.settings),
        "tune_cpu_s": tuned - start,
        "fit_cpu_s": ready - tuned,
        "answer_cpu_s": spent,
        "peak_mb": peak_mb(),
    }
    out.with_suffix(".json").write_text(json.dumps(cost))


def _chosen(model: Model, validation: Task) -> Mapping[str, Any]:
    """Give the settings with the highest nDCG@10 on the validation requests."""
    if len(model.settings) == 1:
        return model.settings[0]
    values = []
    for settings in model.settings:
        answer, _ = _answered(model, model.fit(validation, **settings), validation)
        values.append(ndcg(validation, answer.ranks))
        print(f"{values[-1]:.4f} {dict(settings)}", file=sys.stderr, flush=True)
    return model.settings[int(np.argmax(values))]


def _answered(model: Model, fitted: Any, task: Task) -> tuple[Answer, float]:
    """Give the answer, and the CPU seconds until the lists stood: finding ranks is not counted."""
    if model.gives_lists:
        start = time.process_time()
        items, scores = fitted(LISTED)
        spent = time.process_time() - start
        return by_lists(task, items, scores), spent
    return by_scores(task, fitted, model.batch)


def by_scores(task: Task, scores: Scores, batch: int = 256) -> tuple[Answer, float]:
    """Rank everything: masked items take no part, NaN is the end of the list, ties count half."""
    lists = np.full((len(task), min(LISTED, task.n_items)), -1, dtype=np.int32)
    ranks, n_ranked = np.empty(len(task.target_items)), np.empty(len(task), dtype=np.int64)
    spent = 0.0
    for first in range(0, len(task), batch):
        requests = np.arange(first, min(first + batch, len(task)))
        start = time.process_time()
        values = np.array(scores(requests), dtype=np.float32)
        values[np.isnan(values)] = -np.inf
        masked = task.seen(requests)
        values[masked] = -np.inf
        lists[requests] = _best(values, lists.shape[1])
        spent += time.process_time() - start
        for row, request in enumerate(requests):
            others = values[row][~masked[row]]
            own = values[row, task.targets(request), None]
            better, equal = (others > own).sum(axis=1), (others == own).sum(axis=1)
            ranks[_segment(task.target_offsets, request)] = 1 + better + (equal - 1) / 2
            n_ranked[request] = len(others)
    return Answer(lists, ranks, n_ranked), spent


def by_lists(task: Task, items: np.ndarray, scores: np.ndarray) -> Answer:
    """Rank by lists: what is not listed is tied behind it, equal scores within it count half."""
    ranks, n_ranked = np.empty(len(task.target_items)), np.empty(len(task), dtype=np.int64)
    for request in range(len(task)):
        n_seen = len(np.unique(task.seen_items[_segment(task.seen_offsets, request)]))
        n_ranked[request] = task.n_items - n_seen
        n_listed = np.count_nonzero(items[request] >= 0)
        listed, values = items[request, :n_listed], scores[request, :n_listed]
        place = task.target_offsets[request]
        for nth, target in enumerate(task.targets(request)):
            rank = (n_listed + 1 + n_ranked[request]) / 2
            for own in values[listed == target]:
                rank = 1 + (values > own).sum() + ((values == own).sum() - 1) / 2
            ranks[place + nth] = rank
    return Answer(items.astype(np.int32), ranks, n_ranked)


def peak_mb() -> float:
    """Most memory of this process since it began; Linux lets `getrusage` count its parent too."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def ndcg(task: Task, ranks: np.ndarray, k: int = 10) -> float:
    """Mean nDCG@k over the requests, for choosing settings only."""
    gains = np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)
    totals = np.add.reduceat(gains, task.target_offsets[:-1])
    best = np.cumsum(1 / np.log2(2 + np.arange(k)))
    return float((totals / best[np.clip(np.diff(task.target_offsets), 1, k) - 1]).mean())


def _best(values: np.ndarray, k: int) -> np.ndarray:
    """Give the k best columns of each row, best first; -inf is never chosen."""
    found = np.argpartition(-values, k - 1, axis=1)[:, :k]
    own = np.take_along_axis(values, found, axis=1)
    order = np.argsort(-own, axis=1, kind="stable")
    found, own = np.take_along_axis(found, order, 1), np.take_along_axis(own, order, 1)
    return np.where(own > -np.inf, found, -1)


def _segment(offsets: np.ndarray, row: int) -> slice:
    return slice(int(offsets[row]), int(offsets[row + 1]))
