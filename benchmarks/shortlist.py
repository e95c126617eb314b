"""What a shortlist costs in agreement and saves in time, against scoring the whole catalogue.

    python benchmarks/shortlist.py --events 1000000 --items 100000
    python benchmarks/shortlist.py --bundle shop/bundle

One thread, one user a time, users drawn at random, both ways interleaved in the same loop, through
`Recommender.recommend`. Without a bundle it is trained first, on a generated world (see
`benchmarks/growth.py`) with the encoder `hashed`, quality `fast`, and linear models of 5,000 items,
which takes some five minutes. Agreement is the share of the ten items of one list that stand in the
other, and how often both lists are the same.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import replace

import numpy as np

from longtale.data.synthetic import generated
from longtale.recommend.bundle import load
from longtale.recommend.pipeline import Recommender
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import train
from longtale.seeds import generator

EVENTS_PER_USER = 20
N_LEARNED = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=100)
    asked = parser.parse_args()
    recommender = trained(asked.events, asked.items) if asked.bundle is None else load(asked.bundle)
    ways = {name: scoring_up_to(recommender, n) for name, n in WAYS.items()}
    users = recommender.dataset.users.ids.to_list()
    for way in ways.values():
        way.recommend(users[0])
    spent: dict[str, list[float]] = {name: [] for name in ways}
    shared, same = [], []
    for row in generator(0, "shortlist benchmark").integers(len(users), size=asked.requests):
        lists = {}
        for name, way in ways.items():
            start = time.perf_counter()
            answer = way.recommend(users[int(row)])
            spent[name].append(1000 * (time.perf_counter() - start))
            lists[name] = [item.id for item in answer.items]
        whole, short = lists.values()
        shared.append(len({*whole} & {*short}) / len(whole))
        same.append(whole == short)
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread")
    print(f"{recommender.dataset.n_items} items, {asked.requests} requests\n")
    print("| scored | p50 ms | p95 ms |\n|---|---|---|")
    for name, times in spent.items():
        print(f"| {name} | {np.median(times):.2f} | {np.quantile(times, 0.95):.2f} |")
    ratios = np.array(spent["the whole catalogue"]) / np.array(spent["a shortlist"])
    low, high = np.quantile(ratios, [0.25, 0.75])
    print(
        f"\nRatio, median over pairs: {np.median(ratios):.1f} (quartiles {low:.1f} to {high:.1f})"
    )
    print(f"Items shared: {np.mean(shared):.3f}; the same list: {np.mean(same):.2f}")


WAYS = {"the whole catalogue": 10**9, "a shortlist": 0}
"""Up to how many items are scored whole."""


def scoring_up_to(recommender: Recommender, n_items: int) -> Recommender:
    settings = recommender.slate_settings.model_copy(update={"whole_up_to": n_items})
    return replace(recommender, slate_settings=settings)


def trained(n_events: int, n_items: int) -> Recommender:
    rng = generator(0, "shortlist benchmark")
    dataset = generated(rng, n_events // EVENTS_PER_USER, n_items, n_events)
    few = {"max_items": N_LEARNED}
    settings = LongtaleSettings.parse(
        {"encode": {"model": "hashed"}, "models": {"ease": few, "sequence_linear": few}}
    )
    return train(dataset, settings, quality="fast")


if __name__ == "__main__":
    main()
