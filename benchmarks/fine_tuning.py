"""What contrastive fine-tuning brings items that nobody has met.

    python benchmarks/fine_tuning.py ~/data/amazon-scientific --seeds 0 1 2

A folder is read as by quality.py. Protocol cold-items: a tenth of the items is hidden and ranked
among themselves; the model learns from what is left but for a further tenth, which stops the
training. Prints Markdown: nDCG@10 of the semantic retriever with the encoder's vectors as they are
and whitened, frozen and tuned, and with --blend of the whole blend (balanced) on the same requests;
processor seconds of the training. Full ranking, seen items masked, ties half; mean over seeds
(lowest to highest), and the difference of the last seed with its 95 % interval, paired by request.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from benchmarks.cold_items import blended, print_table, values_of
from benchmarks.quality import opened

from longtale.arrays import Floats
from longtale.blend.hybrid import source_scores
from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.encode.encoder import make_encoder
from longtale.encode.whiten import Whitening
from longtale.evaluate.accuracy import ndcg
from longtale.evaluate.intervals import paired_test
from longtale.models.semantic import SemanticRetriever
from longtale.recommend.cost import Cost
from longtale.recommend.item_vectors import texts_of
from longtale.recommend.refine import ranks_of
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import train
from longtale.recommend.workshop.job import Desk
from longtale.recommend.workshop.made import Made
from longtale.recommend.workshop.trial import NEW, Trial
from longtale.recommend.workshop.works import work_of
from longtale.seeds import generator
from longtale.settings import Settings

Values = np.ndarray
POWERS = (0.25, 0.75)
"""How far vectors are whitened: what suits the tuned ones on validation, and the default."""
PAIRS = (
    ("frozen, whitened 0.75", "tuned, whitened 0.75"),
    ("frozen, whitened 0.75", "tuned, whitened 0.25"),
    ("blend", "blend, tuned"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--blend", action="store_true", help="train the blend before and after")
    asked = parser.parse_args()
    dataset, settings = opened(asked.folder)
    changes = dict(change.split("=", 1) for change in asked.set)
    own = changed(settings.language.finetune, changes)
    texts = texts_of(dataset.catalog, settings.encode.prompt)
    frozen = make_encoder(settings.encode).encode(texts)
    runs = [one_seed(dataset, settings, own, seed, frozen, asked.blend) for seed in asked.seeds]
    name = Path(asked.folder).name
    table = [{row: [float(np.nanmean(v))] for row, v in found.items()} for found, _ in runs]
    print_table(f"{name}: hidden items among themselves", ("nDCG@10",), table)
    seconds = ", ".join(f"{spent:.0f}" for _, spent in runs)
    print(f"\nprocessor seconds of the training, by seed: {seconds}")
    last = runs[-1][0]
    for before, after in PAIRS:
        if after in last:
            test = paired_test(last[after], last[before], rng=generator(0, "benchmark"))
            part = test.difference / np.nanmean(last[before])
            print(
                f"{after} against {before}: {test.difference:+.4f} "
                f"({test.low:+.4f} to {test.high:+.4f}), {part:+.1%}"
            )


def one_seed(
    dataset: Dataset,
    settings: LongtaleSettings,
    own: Settings,
    seed: int,
    frozen: Floats,
    has_blend: bool,
) -> tuple[Mapping[str, Values], float]:
    cut = settings.split.model_copy(update={"seed": seed})
    parts = split(dataset, ProtocolName.COLD_ITEMS, cut)
    trial = Trial.on(parts, {NEW: parts.test}, settings)
    found = of_vectors("frozen", trial, frozen)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(trial, start_of(settings), Path(folder) / "tuned", Path(folder) / "ck", Cost())
        begun = time.process_time()
        told = work_of(own.model_copy(update={"seed": seed}))(desk)
        spent = time.process_time() - begun
        print(f"seed {seed}: {told['n_steps']} steps, best after {told['n_best']}", flush=True)
        protocol = ProtocolName.COLD_ITEMS.value
        Made("finetune", settings.encode.model, protocol, "", {}, {}, trial.unmet).write(desk.out)
        tuned = with_model(settings, str(desk.out))
        found |= of_vectors("tuned", trial, make_encoder(tuned.encode).encode(trial.texts))
        if has_blend:
            found["blend"] = of_blend(parts.test, settings)
            found["blend, tuned"] = of_blend(parts.test, tuned)
    return found, spent


def of_vectors(name: str, trial: Trial, raw: Floats) -> dict[str, Values]:
    ways = {f"{name}, as it is": raw}
    for power in POWERS:
        own = trial.settings.encode.whitening.model_copy(update={"power": power})
        ways[f"{name}, whitened {power}"] = Whitening.fit(raw, own).apply(raw)
    found = {}
    for way, vectors in ways.items():
        model = SemanticRetriever.fit(trial.train, trial.settings.models.semantic, vectors)
        found[way] = ndcg(ranks_of(model, trial.folds[NEW]), 10)
    print(", ".join(f"{way} {np.nanmean(v):.4f}" for way, v in found.items()), flush=True)
    return found


def of_blend(fold: Fold, settings: LongtaleSettings) -> Values:
    hybrid = train(fold.train, settings).hybrid
    n_items = fold.train.n_items

    def scores(queries):
        told = source_scores(hybrid.retrievers, queries, n_items)
        return blended(hybrid.blender, queries, told.scores)

    return in_parts(fold, scores)


def in_parts(fold: Fold, scores) -> Values:
    return np.concatenate([values_of(scores(part.queries), part) for part in fold.batches()])


def start_of(settings: LongtaleSettings) -> Path:
    from longtale.encode.model_folder import find_model

    return find_model(settings.encode.model)


def with_model(settings: LongtaleSettings, model: str) -> LongtaleSettings:
    encode = settings.encode.model_copy(update={"model": model})
    return settings.model_copy(update={"encode": encode})


def changed(settings: Settings, changes: Mapping[str, str]) -> Settings:
    import json

    values = settings.model_dump()
    for key, text in changes.items():
        section = values
        *parts, last = key.split(".")
        for part in parts:
            section = section[part]
        try:
            section[last] = json.loads(text)
        except ValueError:
            section[last] = text
    return type(settings).parse(values)


if __name__ == "__main__":
    main()
