"""What pre-training on a catalogue's own texts teaches a language model, and what that is worth.

    python benchmarks/pretraining.py ~/data/amazon-scientific --steps 80

A folder is read as by quality.py. The encoder is packaged MiniLM, which learns one objective after
the other, each from the start: the item texts as the encoder reads them, and title and description
as pairs; a twentieth of them is held out. Texts are cut at 64 tokens everywhere. MiniLM comes
without a head for hidden words, so that its own accuracy is that of a head that learned on it while
it stood still.

Prints Markdown: loss, accuracy and perplexity on what was held out, before and after; nDCG@10 of
the whitened vectors on items that nobody has met (protocol cold-items, as cold_items.py); processor
minutes of the training.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from benchmarks.cold_items import values_of, vectors_of
from benchmarks.quality import opened

from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.encode.model_folder import find_model
from longtale.encode.prompt import item_texts
from longtale.language.pretrain.pretrain import Pretrained, pretrain
from longtale.language.pretrain.settings import Objective, PretrainSettings
from longtale.models.semantic import SemanticRetriever
from longtale.recommend.settings import LongtaleSettings
from longtale.schema import Role

FROZEN = "masked words, the head alone"
HEAD = ("loss", "accuracy", "perplexity", "cold-item nDCG@10", "processor minutes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--objectives", nargs="+", type=Objective, default=list(Objective))
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    dataset, settings = opened(asked.folder)
    settings = with_encoder(settings, max_tokens=asked.max_tokens)
    fold = split(dataset, ProtocolName.COLD_ITEMS, settings.split).test
    texts, pairs = words_of(dataset, settings)
    print(
        f"\n## {Path(asked.folder).name}: {len(texts)} texts, {len(pairs)} pairs, {asked.steps} ",
        end="",
    )
    print(f"steps of {asked.batch_size}\n\n| objective | {' | '.join(HEAD)} |")
    print(f"|---|{'---|' * len(HEAD)}", flush=True)
    print_row("none", ["", "", "", f"{cold_ndcg(fold, settings):.4f}", ""])
    usual = {
        "max_steps": asked.steps,
        "batch_size": asked.batch_size,
        "max_tokens": asked.max_tokens,
        "n_evaluations": 2,
    }
    jobs = [(each.replace("_", " "), {"objectives": [each]}) for each in asked.objectives]
    if Objective.MASKED_WORDS in asked.objectives:
        jobs.insert(0, (FROZEN, {"objectives": [Objective.MASKED_WORDS], "train_layers": 0}))
    for name, values in jobs:
        own = PretrainSettings.parse({**usual, **values})
        with tempfile.TemporaryDirectory() as work:
            start = time.process_time()
            out, checkpoints = Path(work) / "encoder", Path(work) / "checkpoints"
            made = pretrain(
                find_model("minilm"), texts, pairs, own, out=out, checkpoints=checkpoints
            )
            minutes = (time.process_time() - start) / 60
            own_model = with_encoder(settings, model=str(out), cache=Path(work) / "cache")
            ndcg = "" if name == FROZEN else f"{cold_ndcg(fold, own_model):.4f}"
            print_row(name, [*told(made), ndcg, f"{minutes:.1f}"])


def words_of(
    dataset: Dataset, settings: LongtaleSettings
) -> tuple[list[str], list[tuple[str, str]]]:
    fields = dataset.catalog.texts()
    texts = item_texts(fields, settings.encode.prompt)
    parts = {
        role: item_texts([each for each in fields if each[0] is role], settings.encode.prompt)
        for role in {role for role, _ in fields}
    }
    titles, others = parts[Role.TITLE], parts.get(Role.DESCRIPTION, texts)
    return texts, list(zip(titles, others, strict=True))


def with_encoder(settings: LongtaleSettings, **changes: object) -> LongtaleSettings:
    return settings.model_copy(update={"encode": settings.encode.model_copy(update=changes)})


def cold_ndcg(fold: Fold, settings: LongtaleSettings) -> float:
    vectors = vectors_of(fold.train, settings)
    model = SemanticRetriever.fit(fold.train, settings.models.semantic, vectors)
    return float(np.mean(values_of(model.scores(fold.queries), fold)))


def told(made: Pretrained) -> list[str]:
    cells = []
    for measure, form in (("_loss", ".3f"), ("_accuracy", ".1%"), ("_perplexity", ",.0f")):
        names = [name for name in made.after if name.endswith(measure)]
        values = [(made.before[name], made.after[name]) for name in names]
        cells.append("".join(f"{before:{form}} → {after:{form}}" for before, after in values))
    return cells


def print_row(name: str, cells: Sequence[str]) -> None:
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
