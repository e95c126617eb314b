"""How long one `recommend` of the whole blend takes in process, beside the raw product and top-k.

    python benchmarks/latency.py ~/data/amazon-beauty --requests 300

One thread, one user a time, users drawn at random. Interleaved in the same loop: `recommend`
(query, scores of every source, blend, top 10, attributes and reasons), and what the least of all
recommenders must do: one product of N item vectors with a user vector, and the top 10 of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from quality import opened

from longtale.recommend.train import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="movielens-small")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--quality", default="balanced")
    asked = parser.parse_args()
    dataset, settings = opened(asked.folder)
    recommender = train(dataset, settings, quality=asked.quality)
    vectors = recommender.item_vectors.vectors
    rng = np.random.default_rng(0)
    users = rng.integers(dataset.n_users, size=asked.requests)
    spent: dict[str, list[float]] = {"recommend": [], "product and top-k": []}
    stages: dict[str, list[float]] = {}
    recommender.recommend(dataset.users.ids[0])
    for row in users:
        user = dataset.users.ids[int(row)]
        answer, ms = timed(lambda user=user: recommender.recommend(user))
        spent["recommend"].append(ms)
        for name, part in answer.stages.items():
            stages.setdefault(name, []).append(part)
        profile = vectors[int(rng.integers(len(vectors)))]
        spent["product and top-k"].append(timed(lambda p=profile: bare(vectors, p))[1])
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread")
    print(f"{dataset.n_items} items, vectors of {vectors.shape[1]}, {asked.requests} requests\n")
    print("| what | p50 ms | p95 ms |\n|---|---|---|")
    for name, times in (spent | {f"of which {n}": t for n, t in stages.items()}).items():
        print(f"| {name} | {np.median(times):.2f} | {np.quantile(times, 0.95):.2f} |")
    ratios = np.array(spent["recommend"]) / np.array(spent["product and top-k"])
    low, high = np.quantile(ratios, [0.25, 0.75])
    print(
        f"\nRatio, median over pairs: {np.median(ratios):.2f} (quartiles {low:.2f} to {high:.2f})"
    )


def bare(vectors: np.ndarray, profile: np.ndarray) -> np.ndarray:
    scores = vectors @ profile
    best = np.argpartition(-scores, 10)[:10]
    return best[np.argsort(-scores[best])]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
