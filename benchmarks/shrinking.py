"""Smaller encoders: size, speed, likeness to the whole one, and what the semantic retriever loses.

    python benchmarks/shrinking.py ~/data/amazon-scientific --work ~/shrunk

Folders are read as by quality.py. Students are taught with the texts of items that are not hidden
(protocol cold-items), so that the hidden ones are as new to them as an item of tomorrow; a student
that lies in the working folder is taken as it is. Speed: texts per processor second on one thread,
as a multiple of sentence-transformers in fp32 and of the engine that is taken by default; all take
turns, median of the rounds. Cosine: to the whole model's vectors, of hidden items. nDCG@10 of the
semantic retriever on whitened vectors, full ranking, seen items masked, ties half: cold is protocol
cold-items, all and tail are protocol refit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.quality import opened

from longtale.arrays import Floats
from longtale.contracts import TextEncoder
from longtale.data.dataset import Dataset
from longtale.data.splits.bands import BANDS, bands
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.encode.encoder import EncoderSettings, make_encoder
from longtale.encode.exported import export_encoder
from longtale.encode.joined import JoinedEncoder
from longtale.encode.model_folder import find_model
from longtale.encode.prompt import item_texts
from longtale.encode.whiten import Whitening
from longtale.evaluate.accuracy import ndcg
from longtale.index import CoarseProduct
from longtale.language.model import open_model
from longtale.language.shrink.compress import compress, size_mb
from longtale.language.shrink.distil import distil
from longtale.language.shrink.settings import CompressSettings, DistilSettings
from longtale.models.semantic import SemanticRetriever
from longtale.recommend.refine import ranks_of
from longtale.recommend.settings import LongtaleSettings
from longtale.schema import Band
from longtale.seeds import generator

BASELINE, DEFAULT = "sentence-transformers, fp32", "default engine"
STUDENTS: Mapping[str, DistilSettings] = {
    "1 layer, taught": DistilSettings(layers=(0,), epochs=6, max_tokens=128),
    "static, taught": DistilSettings(student="static"),
}
Encode = Callable[[Sequence[str]], Floats]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--work", type=Path, default=Path("shrunk"), help="where students lie")
    parser.add_argument("--texts", type=int, default=256, help="so many measure speed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], help="names of rows to leave out")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dataset, settings = opened(asked.folder)
    bench = Bench(dataset, settings, asked.work / Path(asked.folder).name)
    print(f"## {Path(asked.folder).name}: encoders made smaller\n")
    bench.table(asked.texts, asked.rounds, set(asked.without))


class Bench:
    """A catalogue with its texts, and the folds that judge encoders."""

    def __init__(self, dataset: Dataset, settings: LongtaleSettings, work: Path) -> None:
        self.dataset, self.settings, self.work = dataset, settings, work
        self.start = find_model(settings.encode.model)
        self.texts = item_texts(dataset.catalog.texts(), settings.encode.prompt)
        self.cold = split(dataset, ProtocolName.COLD_ITEMS, settings.split).test
        self.warm = split(dataset, ProtocolName.REFIT, settings.split).test

    @property
    def known(self) -> list[str]:
        """Texts of items that are not hidden."""
        return [text for text, cold in zip(self.texts, self.cold.ranked, strict=True) if not cold]

    def table(self, n_texts: int, n_rounds: int, without: set[str]) -> None:
        encoders, sizes = self.encoders(without)
        rng = generator(0, "benchmark shrinking")
        chosen = rng.choice(len(self.texts), size=min(n_texts, len(self.texts)), replace=False)
        spent = seconds(encoders, [self.texts[row] for row in chosen], n_rounds)
        head = "variant | MB | x ST fp32 | x default | cosine | cold | of whole | tail | all"
        print(f"| {head} |\n|{'---|' * 9}")
        whole, base = None, 0.0
        for name, encode in encoders.items():
            vectors = encode(self.texts)
            whole = vectors if whole is None else whole
            cosine = self.cosine(vectors, whole)
            cold, tail, every = self.figures(vectors)
            base = base or cold
            times = [
                f"{np.median(spent[other] / spent[name]):.1f}" for other in (BASELINE, DEFAULT)
            ]
            print(
                f"| {name} | {sizes[name]:.0f} | {' | '.join(times)} | {cosine} | {cold:.4f} | "
                f"{cold / base:.1%} | {tail:.4f} | {every:.4f} |",
                flush=True,
            )
        print_coarse(self.whitened(whole))

    def encoders(self, without: set[str]) -> tuple[dict[str, Encode], dict[str, float]]:
        graphs = self.variants()
        found: dict[str, tuple[Encode, float]] = {
            BASELINE: (plain(self.start), size_mb(self.start)),
            DEFAULT: (self.encoder(self.start), size_mb(self.start)),
            "128 tokens": (self.encoder(self.start, max_tokens=128), size_mb(self.start)),
            "64 tokens": (self.encoder(self.start, max_tokens=64), size_mb(self.start)),
            "vectors cut to 192": (self.encoder(self.start, dim=192), size_mb(self.start)),
        }
        for name, folder in graphs.items():
            found[name] = (self.encoder(folder), size_mb(folder))
        for name, taught in STUDENTS.items():
            if name not in without:
                folder = self.student(name, taught)
                found[name] = (self.encoder(folder), size_mb(folder))
        students = [name for name in STUDENTS if name not in without]
        if len(students) > 1:
            parts = tuple(self.opened(self.work / slug(name)) for name in students)
            size = sum(found[name][1] for name in students)
            found["both students joined"] = (JoinedEncoder(parts).encode, size)
        for name in students:
            parts = (self.opened(self.start), self.opened(self.work / slug(name)))
            size = found[DEFAULT][1] + found[name][1]
            found[f"whole and {name} joined"] = (JoinedEncoder(parts).encode, size)
        kept = {name: own for name, own in found.items() if name not in without}
        return {n: own[0] for n, own in kept.items()}, {n: own[1] for n, own in kept.items()}

    def variants(self) -> dict[str, Path]:
        """Give the variants that need no training, made if they are not there."""
        folder = self.work / "compressed"
        names = {"8 bits": "int8", "4 layers": "layers-4", "50 % of heads": "heads-50"}
        if not folder.is_dir():
            settings = CompressSettings(layers=(4,), n_rounds=1, n_measured=16)
            compress(self.start, self.known, settings, out=folder, export=export_encoder)
        return {name: folder / own for name, own in names.items()}

    def student(self, name: str, settings: DistilSettings) -> Path:
        folder = self.work / slug(name)
        if not folder.is_dir():
            started = time.process_time()
            checkpoints = folder.with_suffix(".training")
            distil(self.start, self.known, settings, out=folder, checkpoints=checkpoints)
            print(f"{name}: {time.process_time() - started:.0f} processor seconds\n")
        return folder

    def opened(self, folder: Path, **changes: Any) -> TextEncoder:
        update = {"model": str(folder), "cache": self.work / "cache", **changes}
        settings: EncoderSettings = self.settings.encode.model_copy(update=update)
        encoder = make_encoder(settings)
        return getattr(encoder, "encoder", encoder)  # vectors that are kept would be too fast

    def encoder(self, folder: Path, **changes: Any) -> Encode:
        return self.opened(folder, **changes).encode

    def whitened(self, vectors: Floats) -> Floats:
        return Whitening.fit(vectors, self.settings.encode.whitening).apply(vectors)

    def cosine(self, vectors: Floats, whole: Floats) -> str:
        """Give the mean cosine on hidden items, where both have one width."""
        if vectors.shape != whole.shape:
            return ""
        return f"{(vectors * whole).sum(axis=1)[self.cold.ranked].mean():.3f}"

    def figures(self, vectors: Floats) -> tuple[float, float, float]:
        found = self.whitened(vectors)
        of_cold, of_all = self.ndcg(self.cold, found), self.ndcg(self.warm, found)
        codes = bands(self.warm.train)[self.warm.targets.items]
        is_tail = codes == BANDS.index(Band.TAIL)
        return tuple(float(np.nanmean(own)) for own in (of_cold, of_all[is_tail], of_all))

    def ndcg(self, fold: Fold, vectors: Floats) -> np.ndarray:
        retriever = SemanticRetriever.fit(fold.train, self.settings.models.semantic, vectors)
        return ndcg(ranks_of(retriever, fold), 10)


def plain(folder: Path) -> Encode:
    model = open_model(folder)
    return partial(_plain, model)


def _plain(model: Any, texts: Sequence[str]) -> Floats:
    found: Floats = model.encode(
        list(texts), normalize_embeddings=True, show_progress_bar=False, batch_size=32
    )
    return found


def slug(name: str) -> str:
    return name.replace(",", "").replace(" ", "-")


def seconds(
    encoders: Mapping[str, Encode], texts: Sequence[str], n_rounds: int
) -> dict[str, np.ndarray]:
    """Give the processor seconds of each encoder in each round; all take turns."""
    spent: dict[str, list[float]] = {name: [] for name in encoders}
    for encode in encoders.values():
        encode(texts[:32])
    for _ in range(n_rounds):
        for name, encode in encoders.items():
            started = time.process_time()
            encode(texts)
            spent[name].append(time.process_time() - started)
    return {name: np.array(own) for name, own in spent.items()}


def print_coarse(vectors: Floats, n_queries: int = 200) -> None:
    """Say what item vectors in 8 bits save, and how many of the ten best they keep."""
    coarse = CoarseProduct.of(vectors)
    queries = vectors[generator(0, "coarse").choice(len(vectors), n_queries)]
    best = [np.argsort(-scores)[:, :10] for scores in (queries @ vectors.T, coarse(queries))]
    kept = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*best, strict=True)])
    error = np.abs(coarse(queries) - queries @ vectors.T).max()
    saved = f"{vectors.nbytes / 1e6:.1f} MB as floats, {vectors.size / 1e6:.1f} MB as bytes"
    print(f"\nitem vectors: {saved}; of the ten nearest {kept:.1%} kept, error {error:.4f} at most")


if __name__ == "__main__":
    main()
