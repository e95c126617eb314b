"""Metrics against ranx: the largest difference, and the time of each.

ranx needs numba, so it is no dependency: run this where both are installed
(`pip install ranx==0.3.21`).

    python benchmarks/metrics.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from longtale.data.interactions import Histories
from longtale.evaluate import accuracy
from longtale.evaluate.accuracy import TargetRanks, target_ranks
from longtale.seeds import generator

K = 10
TOLERANCE = 1e-9
N_USERS, N_ITEMS = 2000, 1000
METRICS = {
    "precision": accuracy.precision,
    "recall": accuracy.recall,
    "f1": accuracy.f1,
    "hit_rate": accuracy.hit_rate,
    "ndcg": accuracy.ndcg,
    "mrr": accuracy.reciprocal_rank,
    "map": accuracy.average_precision,
}


def world(most_targets: int) -> tuple[np.ndarray, Histories]:
    """Scores without ties, (users, items), and up to so many targets for each user."""
    rng = generator(0, "benchmark metrics")
    ranking = np.tile(np.arange(N_ITEMS, dtype=np.float32), (N_USERS, 1))
    counts = rng.integers(1, most_targets, N_USERS, endpoint=True)
    targets = [rng.choice(N_ITEMS, count, replace=False).tolist() for count in counts]
    return rng.permuted(ranking, axis=1), Histories.of(targets)


def by_ranx(scores: np.ndarray, targets: Histories) -> Callable[[], dict[str, np.ndarray]]:
    """Put the world into ranx's own form; give what runs its metrics."""
    from ranx import Qrels, Run, evaluate

    users = [f"u{user:05d}" for user in range(len(targets))]
    items = [f"i{item}" for item in range(scores.shape[1])]
    wanted = np.split(targets.items, targets.offsets[1:-1])
    qrels = Qrels(
        {user: {items[i]: 1 for i in row} for user, row in zip(users, wanted, strict=True)}
    )
    run = Run(
        {
            user: dict(zip(items, row.tolist(), strict=True))
            for user, row in zip(users, scores, strict=True)
        }
    )
    names = {name: f"{name}@{K}" for name in METRICS}

    def run_metrics() -> dict[str, np.ndarray]:
        found = evaluate(qrels, run, list(names.values()), return_mean=False)
        return {name: found[full] for name, full in names.items()}

    return run_metrics


def by_longtale(scores: np.ndarray, targets: Histories) -> dict[str, np.ndarray]:
    ranks: TargetRanks = target_ranks(scores, targets)
    return {name: metric(ranks, K) for name, metric in METRICS.items()}


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def main() -> int:
    """Print a table; the exit code is 1 where a metric differs."""
    print(f"{N_USERS} users, {N_ITEMS} items, no ties, at {K}; largest difference from ranx\n")
    print("| targets per user | " + " | ".join(METRICS) + " | time, ranx / longtale |")
    print("| --- |" + " ---: |" * (len(METRICS) + 1))
    is_equal = True
    for most_targets in (1, K, 50):
        scores, targets = world(most_targets)
        ranx = by_ranx(scores, targets)
        theirs, ours = ranx(), by_longtale(scores, targets)
        if most_targets > K:
            # ranx divides by all targets where no list of K could hold them.
            theirs["map"] *= targets.lengths / np.minimum(targets.lengths, K)
        gaps = {name: float(np.abs(theirs[name] - ours[name]).max()) for name in METRICS}
        is_equal &= max(gaps.values()) <= TOLERANCE
        times = [
            (seconds(ranx), seconds(lambda s=scores, t=targets: by_longtale(s, t)))
            for _ in range(5)
        ]
        ratio = np.median([slow / fast for slow, fast in times])
        shown = " | ".join(f"{gap:.0e}" for gap in gaps.values())
        print(f"| 1 to {most_targets} | {shown} | {ratio:.1f} |")
    print(f"\n{'all agree' if is_equal else 'NOT all agree'} within {TOLERANCE:.0e}")
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
