"""What `updated` saves against fitting anew, and how near it comes, for every retriever with it.

    python benchmarks/online.py movielens-small ~/data/amazon-beauty

The training part of protocol refit is replayed: its last events arrive in 10 batches of 100 (or as
--batches and --size say). Where only an order is known, each user's events are taken to be spread
evenly over one span. After each batch, in turn, every model is updated and fitted anew on old and
new, both timed in CPU seconds; with --fits only after so many batches, the last ones. At the end
the held-out items of up to 2,000 random users are asked of the model that learned nothing (stale),
of the updated one and of the one fitted anew: nDCG@10, full ranking, seen masked, ties half, and
the share of the fitted model's 10 best items that the others give too. Where a model has a seed,
the same for a fit with another one says how much of that is chance.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from longtale.recommend.assemble import Fitting, fit_retriever
from longtale.recommend.choose import encoded
from longtale.recommend.cost import Cost
from longtale.recommend.settings import LongtaleSettings, ModelsSettings

MODELS = (
    "popular",
    "rising",
    "item_knn",
    "user_knn",
    "als",
    "ease",
    "text_ease",
    "sequence_linear",
)
N_USERS = 2000


@dataclass
class Contestant:
    """One retriever, stale, updated and fitted anew, and the seconds spent on it."""

    name: str
    fitting: Fitting
    stale: Any
    updated: Any
    anew: Any = None
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"updated": [], "fit": []})

    def fitted(self, dataset: Dataset) -> Any:
        return fit_retriever(self.name, replace(self.fitting, dataset=dataset))

    def with_another_seed(self) -> Contestant | None:
        own = getattr(self.fitting.settings, self.name)
        if not hasattr(own, "seed"):
            return None
        other = {self.name: own.model_copy(update={"seed": own.seed + 1})}
        settings = self.fitting.settings.model_copy(update=other)
        return replace(self, fitting=replace(self.fitting, settings=settings))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--size", type=float, default=100, help="events of each; under 1: a share")
    parser.add_argument("--fits", type=int, help="fit anew after the last batches only")
    parser.add_argument("--fold", choices=["validation", "test"], default="test")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    asked = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread")
    for folder in asked.folders:
        dataset, settings = opened(folder)
        fold = getattr(split(dataset, ProtocolName.REFIT, SplitSettings()), asked.fold)
        print(f"\n## {Path(folder).name}, refit, {asked.fold}")
        later, batches = held_back(fold.train, asked.size, asked.batches, np.random.default_rng(0))
        n_fits = asked.batches if asked.fits is None else asked.fits
        report(fold, batches, later, contestants_of(later, asked.only, settings), n_fits)


def report(
    fold: Fold,
    batches: list[Arrivals],
    later: Dataset,
    contestants: list[Contestant],
    n_fits: int,
) -> None:
    joining = []
    for place, events in enumerate(batches):
        later, seconds = timed(appended, later, events)
        joining.append(seconds)
        for each in contestants:
            learn(each, later, events, fits=len(batches) - place <= n_fits)
    assert np.array_equal(later.item_counts, fold.train.item_counts)
    print(
        f"\n{len(later.interactions)} events, the last of them in {len(batches)} batches of "
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


def contestants_of(
    dataset: Dataset, names: Sequence[str], settings: LongtaleSettings
) -> list[Contestant]:
    vectors = np.empty((dataset.n_items, 0), dtype=np.float32)
    if "text_ease" in names:
        vectors = encoded(dataset, settings, Cost()).vectors
    fitting = Fitting(dataset, vectors, ModelsSettings())
    found = []
    for name in names:
        if name != "rising" or dataset.has_times:
            model = fit_retriever(name, fitting)
            found.append(Contestant(name, fitting, model, model))
    return found


def learn(each: Contestant, dataset: Dataset, events: Arrivals, *, fits: bool) -> None:
    each.updated, seconds = timed(each.updated.updated, dataset, events)
    each.seconds["updated"].append(seconds)
    if fits:
        each.anew, seconds = timed(each.fitted, dataset)
        each.seconds["fit"].append(seconds)


def row(each: Contestant, dataset: Dataset, fold: Fold) -> str:
    models = {"fit": each.anew, "stale": each.stale, "updated": each.updated}
    if (other := each.with_another_seed()) is not None:
        models["other"] = other.fitted(dataset)
    found = {name: judged(model, fold) for name, model in models.items()}
    quality = " | ".join(f"{found[name][0]:.4f}" for name in ("stale", "updated", "fit"))
    own = found["fit"][1]
    alike = " | ".join(
        f"{overlap(found[name][1], own):.3f}" if name in found else ""
        for name in ("stale", "updated", "other")
    )
    spent = [1000 * np.median(each.seconds[name]) for name in ("updated", "fit")]
    fits = np.array(each.seconds["fit"])
    ratios = np.array(each.seconds["updated"])[-len(fits) :] / fits
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return (
        f"| {each.name} | {spent[0]:.1f} | {spent[1]:.1f} | {middle:.2f} ({low:.2f} to "
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
