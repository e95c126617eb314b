"""How well items that nobody has met are ranked: among themselves, and in one list with all others.

    python benchmarks/cold_items.py ~/data/ml-1m --seeds 0 1 2

A folder is read as by quality.py. Prints Markdown. Among themselves: protocol cold-items, a tenth
of the items hidden, only these ranked. In one list: a tenth of the items hidden, each user asked
for the last event, which is on a hidden item or on a known one; all items with events ranked; the
blend (balanced) learns of new items from a second tenth, hidden again from what is left. Full
ranking, seen items masked, ties half; nDCG@10, mean over seeds (lowest to highest).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.quality import opened

from longtale.arrays import Floats
from longtale.blend.hybrid import source_scores
from longtale.contracts import Blender
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.splits.simulated import simulated_cold
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.encode.encoder import make_encoder
from longtale.evaluate.accuracy import ndcg, rankable, ranks_in
from longtale.models.als import ALS
from longtale.models.cold_map import ColdMap, ColdMapSettings
from longtale.models.interest import interest
from longtale.models.semantic import SemanticRetriever
from longtale.models.simulate import SimulateSettings, with_likely_users
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import train
from longtale.seeds import generator

SHARE = 0.1
Figures = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--part", choices=("both", "themselves", "list"), default="both")
    asked = parser.parse_args()
    dataset, settings = opened(asked.folder)
    name = Path(asked.folder).name
    if asked.part != "list":
        alone = [among_themselves(dataset, settings, seed) for seed in asked.seeds]
        print_table(f"{name}: cold items among themselves", ("nDCG@10",), alone)
    if asked.part != "themselves":
        lists = [one_list(dataset, settings, seed) for seed in asked.seeds]
        head = ("nDCG@10, new target", "nDCG@10, known target", "new items in the list")
        print_table(f"{name}: new and known items in one list", head, lists)


def among_themselves(dataset: Dataset, settings: LongtaleSettings, seed: int) -> Figures:
    cut = settings.split.model_copy(update={"seed": seed})
    fold = split(dataset, ProtocolName.COLD_ITEMS, cut).test
    vectors = vectors_of(fold.train, settings)
    queries, train = fold.queries, fold.train
    usual = ColdMapSettings()
    full = ColdMap.fit(train, usual, vectors)
    cold = full.scores(queries)
    looks = np.tile(full.told[:, -1], (len(queries), 1))
    meaning = SemanticRetriever.fit(train, settings.models.semantic, vectors).scores(queries)
    by_text = ColdMap.fit(
        train, changed(usual, attributes=0, popularity=0), vectors, teacher=full.teacher
    )
    by_attributes = ColdMap.fit(train, usual, 0 * vectors, teacher=full.teacher)
    models = {
        "semantic": meaning,
        "iALS + ridge, from the text": by_text.scores(queries),
        "popularity told from the description": looks,
        "cold map, attributes alone": by_attributes.scores(queries),
        "cold map without popularity": rescored(full, popularity=0).scores(queries),
        "cold map": cold,
        "cold map + semantic": z(cold) + np.float32(0.3) * z(meaning),
        "cold map + iALS on generated events": z(cold) + np.float32(0.3) * generated(fold, full),
        "oracle: true popularity": np.tile(np.float32(dataset.item_counts), (len(queries), 1)),
    }
    return {name: [float(np.mean(values_of(scores, fold)))] for name, scores in models.items()}


def generated(fold: Fold, cold_map: ColdMap) -> Floats:
    settings = SimulateSettings()
    grown = with_likely_users(fold.train, cold_map.scores, fold.ranked, settings)
    return z(ALS.fit(grown, cold_map.settings.teacher).scores(fold.queries))


def one_list(dataset: Dataset, settings: LongtaleSettings, seed: int) -> Figures:
    rng = generator(seed, "one list")
    test = simulated_cold(dataset, share=SHARE, n_users=dataset.n_users, rng=rng)
    is_new = test.train.item_counts == 0
    hybrid = train(test.train, settings).hybrid
    unlifted = replace(hybrid.blender, new_weights=0 * hybrid.blender.new_weights)
    vectors = vectors_of(test.train, settings)
    als = ALS.fit(test.train, settings.models.als)
    by_text = changed(ColdMapSettings(), teacher=als.settings, attributes=0, popularity=0)
    ridge = ColdMap.fit(test.train, by_text, vectors, teacher=als)
    parts: dict[str, list[Floats]] = {}
    for batch in test.batches():
        warm = als.scores(batch.queries)
        told = source_scores(hybrid.retrievers, batch.queries, dataset.n_items).scores
        lists = {
            "iALS alone": np.where(is_new, np.float32(np.nan), warm),
            "iALS + ridge, raw": np.where(is_new, fits(ridge, batch.queries), warm),
            "blend without what it learned of new items": blended(unlifted, batch.queries, told),
            "blend": blended(hybrid.blender, batch.queries, told),
        }
        for name, scores in lists.items():
            parts.setdefault(name, []).append(scores)
    return {name: parts_of(np.concatenate(found), test, is_new) for name, found in parts.items()}


def blended(blender: Blender, queries: Queries, told: Floats) -> Floats:
    return blender.contributions(queries, told).sum(axis=0)


def fits(cold_map: ColdMap, queries: Queries) -> Floats:
    """Give x_u·f(t_i) as it is: the scores of iALS, were the told factors its own."""
    als = cold_map.teacher
    half_life = als.settings.half_life
    liked = interest(queries.histories, als.known, binary=False, half_life=half_life)
    return als.user_factors(liked) @ cold_map.told[:, :-1].T


def changed(settings: ColdMapSettings, **values: object) -> ColdMapSettings:
    return settings.model_copy(update=values)


def rescored(cold_map: ColdMap, **values: object) -> ColdMap:
    return ColdMap.restore(changed(cold_map.settings, **values), cold_map.state())


def vectors_of(train: Dataset, settings: LongtaleSettings) -> Floats:
    parts = {"prompt": settings.encode.prompt, "whitening": settings.encode.whitening}
    return ItemVectors.fit(train.catalog, make_encoder(settings.encode), **parts).vectors


def z(scores: Floats) -> Floats:
    deviations = np.nanstd(scores, axis=1, keepdims=True)
    return (scores - np.nanmean(scores, axis=1, keepdims=True)) / np.maximum(deviations, 1e-9)


def masked(fold: Fold) -> np.ndarray:
    return (fold.seen.toarray() != 0) | ~fold.ranked


def values_of(scores: Floats, fold: Fold) -> np.ndarray:
    values = rankable(scores, masked=fold.seen, ranked=fold.ranked)
    return ndcg(ranks_in(values, fold.targets), 10)


def parts_of(scores: Floats, fold: Fold, is_new: np.ndarray) -> list[float]:
    """Give the nDCG of those whose target is new, of the others, and the new items' share."""
    values, target_is_new = values_of(scores, fold), is_new[fold.targets.items]
    usable = np.where(masked(fold) | np.isnan(scores), -np.inf, scores)
    shown = is_new[np.argpartition(-usable, 10, axis=1)[:, :10]].mean()
    return [values[target_is_new].mean(), values[~target_is_new].mean(), shown]


def print_table(title: str, head: Sequence[str], runs: Sequence[Mapping[str, list[float]]]) -> None:
    print(f"\n## {title}\n\n| model | {' | '.join(head)} |\n|---|{'---|' * len(head)}")
    for name in runs[0]:
        cells = []
        for own in zip(*(run[name] for run in runs), strict=True):
            cells.append(f"{np.mean(own):.4f} ({min(own):.4f} to {max(own):.4f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
