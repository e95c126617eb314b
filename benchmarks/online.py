"""What `updated` saves against fitting anew, and how near it comes, for every retriever with it.

    python benchmarks/online.py movielens-small ~/data/amazon-beauty

The training part of protocol refit is replayed: its last events arrive in 10 batches of 100 (or as
--batches and --size say). Where only an order is known, each user's events are taken to be spread
evenly over one span. After each batch, in turn, every model is updated and fitted anew on old and
new, both timed in CPU seconds. At the end the held-out items of up to 2,000 random users are asked
of the model that learned nothing (stale), of the updated one and of the one fitted anew: nDCG@10,
full ranking, seen masked, ties half, and the share of the fitted model's 10 best items that the
others give too. Where a model has a seed, the same for a fit with another one says how much of that
is chance.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from quality import opened

from longtale.arrays import top_k
from longtale.data.arrivals import Arrivals, appended
from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, ProtocolName, SplitSettings, split
from longtale.evaluate.accuracy import ndcg, rankable, ranks_in
from longtale.models.als import ALS
from longtale.models.ease import EASE
from longtale.models.item_knn import ItemKNN
from longtale.models.popular import Popular, Rising
from longtale.models.user_knn import UserKNN
from longtale.recommend.settings import ModelsSettings

MODELS = (Popular, Rising, ItemKNN, UserKNN, ALS, EASE)
N_USERS = 2000


@dataclass
class Contestant:
    """One retriever, stale and updated, and the seconds spent on it."""

    kind: Any
    settings: Any
    stale: Any
    updated: Any
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"updated": [], "fit": []})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--size", type=float, default=100, help="events of each; under 1: a share")
    parser.add_argument("--fold", choices=["validation", "test"], default="test")
    parser.add_argument("--only", nargs="*", help="names of models")
    asked = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread")
    for folder in asked.folders:
        dataset, _ = opened(folder)
        fold = getattr(split(dataset, ProtocolName.REFIT, SplitSettings()), asked.fold)
        print(f"\n## {Path(folder).name}, refit, {asked.fold}")
        report(fold, asked.size, asked.batches, asked.only)


def report(fold: Fold, size: float, n_batches: int, only: list[str] | None) -> None:
    later, batches = held_back(fold.train, size, n_batches, np.random.default_rng(0))
    contestants = fitted(later, only)
    joining = []
    for events in batches:
        later, seconds = timed(appended, later, events)
        joining.append(seconds)
        for each in contestants:
            learn(each, later, events)
    assert np.array_equal(later.item_counts, fold.train.item_counts)
    print(
        f"\n{len(later.interactions)} events, the last of them in {n_batches} batches of "
        f"{len(batches[0])}; joining one to the dataset {1000 * np.median(joining):.1f} CPU ms\n"
    )
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(fold))[:N_USERS])
    print(
        "| model | update CPU ms | fit CPU ms | ratio (quartiles) | nDCG@10 stale | updated | fit "
        "| top 10 as fit: stale | updated | other seed |\n" + "|---" * 10 + "|"
    )
    for each in contestants:
        print(row(each, later, fold.take(chosen)), flush=True)


def held_back(
    dataset: Dataset, size: float, n_batches: int, rng: np.random.Generator
) -> tuple[Dataset, list[Arrivals]]:
    """Give the dataset without its last events, and these in batches."""
    events = dataset.interactions
    histories = events.histories
    at = histories.times
    if at is None:
        places = np.arange(len(events)) - np.repeat(histories.offsets[:-1], histories.lengths)
        shifts = np.repeat(rng.random(dataset.n_users), histories.lengths)
        at = (places + shifts) / np.repeat(histories.lengths, histories.lengths)
    order = np.argsort(at, kind="stable")
    n_events = round(size * len(events)) if size < 1 else int(size)
    last = order[len(order) - n_batches * n_events :]
    arrived = Arrivals(
        *(part.astype(np.int32) for part in (events.users, events.items)),
        events.kinds,
        histories.weights,
        events.values,
        histories.times,
    )
    kept = np.ones(len(events), dtype=np.bool_)
    kept[last] = False
    batches = [arrived.take(part) for part in np.array_split(last, n_batches)]
    return dataset.with_interactions(kept), batches


def fitted(dataset: Dataset, only: list[str] | None) -> list[Contestant]:
    found = []
    for kind in MODELS:
        is_possible = kind is not Rising or dataset.has_times
        if hasattr(kind, "updated") and is_possible and (not only or kind.name in only):
            settings = getattr(ModelsSettings(), kind.name)
            model = kind.fit(dataset, settings)
            found.append(Contestant(kind, settings, model, model))
    return found


def learn(each: Contestant, dataset: Dataset, events: Arrivals) -> None:
    each.updated, seconds = timed(each.updated.updated, dataset, events)
    each.seconds["updated"].append(seconds)
    _, seconds = timed(each.kind.fit, dataset, each.settings)
    each.seconds["fit"].append(seconds)


def row(each: Contestant, dataset: Dataset, fold: Fold) -> str:
    models = {"fit": each.kind.fit(dataset, each.settings), "stale": each.stale}
    models["updated"] = each.updated
    if hasattr(each.settings, "seed"):
        other = each.settings.model_copy(update={"seed": each.settings.seed + 1})
        models["other"] = each.kind.fit(dataset, other)
    found = {name: judged(model, fold) for name, model in models.items()}
    quality = " | ".join(f"{found[name][0]:.4f}" for name in ("stale", "updated", "fit"))
    own = found["fit"][1]
    alike = " | ".join(
        f"{overlap(found[name][1], own):.3f}" if name in found else ""
        for name in ("stale", "updated", "other")
    )
    spent = [1000 * np.median(each.seconds[name]) for name in ("updated", "fit")]
    ratios = np.array(each.seconds["updated"]) / np.array(each.seconds["fit"])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return (
        f"| {each.kind.name} | {spent[0]:.1f} | {spent[1]:.1f} | {middle:.2f} ({low:.2f} to "
        f"{high:.2f}) | {quality} | {alike} |"
    )


def judged(model: Any, fold: Fold) -> tuple[float, np.ndarray]:
    """Give nDCG@10 and the best items of each request, (B, 10)."""
    gains, items = [], []
    for batch in fold.batches():
        scores = rankable(model.scores(batch.queries), masked=batch.seen)
        gains.append(ndcg(ranks_in(scores, batch.targets), 10))
        items.append(top_k(scores, 10)[0])
    return float(np.concatenate(gains).mean()), np.concatenate(items)


def overlap(found: np.ndarray, expected: np.ndarray) -> float:
    shares = [
        len(np.intersect1d(mine, theirs[theirs >= 0])) / (theirs >= 0).sum()
        for mine, theirs in zip(found, expected, strict=True)
        if (theirs >= 0).any()
    ]
    return float(np.mean(shares))


def timed(work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    start = time.process_time()
    result = work(*given)
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
