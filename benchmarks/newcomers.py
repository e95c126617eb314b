"""How well newcomers are served: before their first event, after a sentence, after 1 to 10 events.

    python benchmarks/newcomers.py ~/data/ml-1m --seeds 0 1 2 --plot newcomers.png

Protocol cold-users: a tenth of the users is held out, and each is asked for their last fifth of
events. The sentence names the three categories that are most their own among their first ten events
("I like drama, crime and war"), so that it holds nothing of the targets. Prints Markdown: nDCG@10
by step, full ranking, seen items masked, ties counted half, with the range over the seeds; and the
paired difference of what is served to the best of the others at each step.
"""

from __future__ import annotations

import argparse
import os
import platform
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from quality import opened, seeded

from longtale.data.splits.folds import Fold
from longtale.data.splits.split import ProtocolName, split
from longtale.data.tastes import taste_sentences
from longtale.evaluate.accuracy import ndcg, target_ranks
from longtale.evaluate.intervals import paired_test
from longtale.rank.evidence import ItemEvidence
from longtale.recommend.choose import choose
from longtale.recommend.cost import Cost
from longtale.recommend.settings import Quality
from longtale.recommend.slating import Slating
from longtale.recommend.train import fitted_again, scores_of_models

STEPS = ("0 events", "a sentence", "1", "3", "5", "10")
SHOWN = ("blend", "unranked", "popular", "item_knn", "user_knn", "ease", "als", "semantic")
_TOLD_BY = 10

Curves = dict[str, dict[str, NDArray[np.float64]]]
"""nDCG@10 of each request, by step and model."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--plot", type=Path, help="draw the curves here")
    asked = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"\n## {Path(asked.folder).name}, cold-users\n", flush=True)
    runs = [measured(asked.folder, asked.quality, seed) for seed in asked.seeds]
    print_table(runs)
    print_comparisons(runs)
    if asked.plot is not None:
        plot(runs, asked.plot)


def measured(folder: str, quality: str, seed: int) -> Curves:
    """Choose and fit under one seed, and ask the test users step by step."""
    dataset, settings = opened(folder)
    settings = seeded(settings, seed).for_quality(Quality(quality))
    cut = split(dataset, ProtocolName.COLD_USERS, settings.split)
    cost = Cost(None)
    chosen = choose(cut.validation, settings, cost)
    test = cut.test
    item_vectors, hybrid = fitted_again(chosen, test.train, settings, cost, purpose="test")
    evidence = ItemEvidence.of(test.train, item_vectors.vectors)
    slating = Slating(settings.slate, evidence, chosen.ranker)
    models = partial(scores_of_models, hybrid, slating, test)
    steps = {step: asked_with(test, int(step.split()[0])) for step in STEPS if step[0].isdigit()}
    said = taste_sentences(test.train, steps[str(_TOLD_BY)].queries.histories)
    telling = steps["0 events"]
    queries = replace(telling.queries, text_vectors=item_vectors.of_words(said))
    steps["a sentence"] = replace(telling, queries=queries)
    curves: Curves = {}
    for step in STEPS:
        parts: dict[str, list[NDArray[np.float64]]] = {}
        for batch in steps[step].batches():
            masked = batch.seen.toarray() != 0
            for model, scores in models(batch.queries).items():
                ranks = target_ranks(np.where(masked, np.float32(np.nan), scores), batch.targets)
                parts.setdefault(model, []).append(ndcg(ranks, 10))
        curves[step] = {model: np.concatenate(found) for model, found in parts.items()}
    return curves


def asked_with(fold: Fold, n_events: int) -> Fold:
    """Give the requests of a fold that know the first n events."""
    return fold.take(np.flatnonzero(fold.given == n_events))


def print_table(runs: list[Curves]) -> None:
    models = [model for model in SHOWN if all(model in run[STEPS[0]] for run in runs)]
    print(f"| nDCG@10 after | users | {' | '.join(models)} |\n|---|---|{'---|' * len(models)}")
    for step in STEPS:
        cells = []
        for model in models:
            means = [run[step][model].mean() for run in runs]
            cells.append(f"{np.mean(means):.4f} ({min(means):.4f} to {max(means):.4f})")
        n = sum(len(run[step]["blend"]) for run in runs)
        print(f"| {step} | {n} | {' | '.join(cells)} |")


def print_comparisons(runs: list[Curves]) -> None:
    print("\n| after | best of the others | blend minus it |\n|---|---|---|")
    for step in STEPS:
        joined = {
            model: np.concatenate([run[step][model] for run in runs])
            for model in runs[0][step]
            if all(model in run[step] for run in runs)
        }
        others = [model for model in joined if model not in ("blend", "unranked")]
        best = max(others, key=lambda model: joined[model].mean())
        test = paired_test(joined["blend"], joined[best], rng=np.random.default_rng(0))
        print(
            f"| {step} | {best} {joined[best].mean():.4f} | {test.difference:+.4f} "
            f"({test.low:+.4f} to {test.high:+.4f}, p = {test.p:.3f}) |",
            flush=True,
        )


def plot(runs: list[Curves], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    places = np.arange(len(STEPS))
    for model in ("blend", "popular", "item_knn", "ease", "als"):
        means = np.array([[run[step][model].mean() for step in STEPS] for run in runs])
        width = 2.5 if model == "blend" else 1.2
        axes.plot(places, means.mean(axis=0), marker="o", linewidth=width, label=model)
    axes.set_xticks(places, STEPS)
    axes.set_xlabel("what is known of the newcomer")
    axes.set_ylabel("nDCG@10")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
