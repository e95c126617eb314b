"""How well the sequence model recommends alone, how fast it learns, and what it costs.

    OMP_NUM_THREADS=1 python benchmarks/sequence.py ~/data/amazon-beauty:refit --seeds 0 1 2

A folder holds a longtale.toml, or files that `longtale init` understands. Trains on what the
protocol leaves for validation and stops by nDCG@10 of the validation fold; where the test may know
more (time), trains again as many passes. Prints Markdown: the curve, processor seconds, and the
test: full ranking, seen items masked, ties counted half. Seeds decide the split's dice and the
net's.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np
from benchmarks.quality import opened

from longtale.arrays import Floats
from longtale.data.catalog import Catalog
from longtale.data.splits.folds import Fold
from longtale.data.splits.split import ProtocolName, split
from longtale.encode.encoder import make_encoder
from longtale.evaluate.accuracy import TargetRanks, ndcg, recall, target_ranks
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import SequenceSettings
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.settings import LongtaleSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks", nargs="+", metavar="FOLDER:PROTOCOL")
    parser.add_argument("--items", default="identity", choices=["identity", "text", "both"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings")
    parser.add_argument("--checkpoints", type=Path, help="folder to go on from after a stop")
    asked = parser.parse_args()
    given = dict(pair.split("=", 1) for pair in asked.set)
    settings = SequenceSettings.parse({"items": asked.items, **given})
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for task in asked.tasks:
        folder, _, protocol = task.rpartition(":")
        print(f"\n## {Path(folder).name}, {protocol}, {asked.items}\n", flush=True)
        found = [
            measured(folder, ProtocolName(protocol), settings, seed, asked.checkpoints)
            for seed in asked.seeds
        ]
        for name, values in zip(("nDCG@10", "Recall@10"), np.array(found).T, strict=True):
            print(f"{name} {values.mean():.4f} ({values.min():.4f} to {values.max():.4f})")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"Peak memory {peak:.0f} MB.", flush=True)


def measured(
    folder: str,
    protocol: ProtocolName,
    settings: SequenceSettings,
    seed: int,
    checkpoints: Path | None,
) -> tuple[float, float]:
    """Train and test under one seed; give nDCG@10 and Recall@10 of the test."""
    dataset, project = opened(folder)
    cut = split(dataset, protocol, project.split.model_copy(update={"seed": seed}))
    settings = settings.model_copy(update={"seed": seed})
    validation, test = cut.validation, cut.test
    vectors = text_vectors(validation.train.catalog, settings, project)
    name = f"{Path(folder).name}-{protocol}-{settings.items}-{seed}.safetensors"
    start = time.process_time()
    fitted = SequenceRetriever.fit(
        validation.train,
        settings,
        vectors,
        validation=validation,
        checkpoint=None if checkpoints is None else checkpoints / name,
    )
    spent = time.process_time() - start
    if test.train is not validation.train:
        best = settings.model_copy(update={"stop_after": fitted.n_best})
        vectors = text_vectors(test.train.catalog, settings, project)
        fitted = SequenceRetriever.fit(test.train, best, vectors)
    ranks = tested(fitted, test)
    found = float(np.nanmean(ndcg(ranks, 10))), float(np.nanmean(recall(ranks, 10)))
    print(f"Seed {seed}, `{cut.protocol.stamp}`. Validation nDCG@10 by pass:")
    print(" ".join(f"{value:.4f}" for value in fitted.curve))
    print(
        f"{spent:.0f} processor seconds, {spent / len(fitted.curve):.1f} a pass, best after "
        f"{fitted.n_best}. Test: nDCG@10 {found[0]:.4f}, Recall@10 {found[1]:.4f}\n",
        flush=True,
    )
    return found


def text_vectors(
    catalog: Catalog, settings: SequenceSettings, project: LongtaleSettings
) -> Floats | None:
    """Give the items' whitened vectors, where the net reads text."""
    if settings.items == "identity":
        return None
    encoder = make_encoder(project.encode)
    prompt, whitening = project.encode.prompt, project.encode.whitening
    return ItemVectors.fit(catalog, encoder, prompt=prompt, whitening=whitening).vectors


def tested(fitted: SequenceRetriever, test: Fold) -> TargetRanks:
    """Find the ranks of all targets."""
    parts = [
        target_ranks(
            fitted.scores(batch.queries), batch.targets, masked=batch.seen, ranked=test.ranked
        )
        for batch in test.batches()
    ]
    return TargetRanks.concatenated(parts)


if __name__ == "__main__":
    main()
