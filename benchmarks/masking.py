"""How much personal data masking finds, how often it is mistaken, and how long it takes.

    python benchmarks/masking.py
    python benchmarks/masking.py --texts ~/data/amazon-scientific/items.parquet

Recall is that of `longtale.privacy.seeded`: a value counts as found where each of its letters and
digits is. Mistakes are counted on the titles and tags of the bundled films, and on the text columns
of the tables given; what is found there is shown, since a catalogue may hold real addresses. Time
is that of one text after another, and for texts made to be slow at two lengths, of which the second
is four times the first. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from longtale.privacy.kind import Kind
from longtale.privacy.mask import mask
from longtale.privacy.seeded import Part, SeededText, seeded_texts

PARTS: tuple[Part, ...] = ("develop", "judge")
HARD = ("1 ", "12 ", "0-", "4111 ", "1.2.", "a@", "a b at c dot ", "1 A Road, ", "路1号", "aA1 ")
"""Texts that begin like many things and end like none."""
LENGTH = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="Parquet tables")
    parser.add_argument("--n", type=int, default=800, help="seeded texts of each kind and part")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", type=int, default=5, help="of what is found in catalogues")
    asked = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print_recall(asked.n, asked.seed)
    print_mistakes(asked.texts, asked.show)
    print_growth()


def print_recall(n: int, seed: int) -> None:
    columns = [recalls(n, seed, part) for part in PARTS]
    print(f"## Recall, {n} texts of each kind\n\n| kind | {' | '.join(PARTS)} |\n|---|---|---|")
    for kind in Kind:
        print(f"| {kind} | {' | '.join(f'{column[kind]:.4f}' for column in columns)} |")
    means = [sum(column.values()) / len(column) for column in columns]
    print(f"| all | {' | '.join(f'{mean:.4f}' for mean in means)} |")


def recalls(n: int, seed: int, part: Part) -> dict[Kind, float]:
    """Give the share of each kind that is hidden."""
    hidden: Counter[Kind] = Counter()
    for case in seeded_texts(np.random.default_rng(seed), n * len(Kind), part=part):
        hidden[case.planted[0].kind] += is_hidden(case)
    return {kind: hidden[kind] / n for kind in Kind}


def is_hidden(case: SeededText) -> bool:
    found = {place for each in mask(case.text).found for place in range(each.start, each.end)}
    return all(
        place in found or not case.text[place].isalnum()
        for each in case.planted
        for place in range(each.start, each.end)
    )


def catalogues(tables: list[Path]) -> Iterator[tuple[str, list[str]]]:
    """Give the columns of text, each value once."""
    films = files("longtale.data") / "movielens_small"
    for name, column in (("movies.csv", "title"), ("tags.csv", "tag")):
        with (films / name).open("rb") as file:
            yield f"films: {column}", pl.read_csv(file)[column].unique().sort().to_list()
    for path in tables:
        table = pl.read_parquet(path)
        for column in (name for name, kind in table.schema.items() if kind == pl.String):
            values = table[column].drop_nulls().unique().sort().to_list()
            yield f"{path.parent.name}: {column}", values


def print_mistakes(tables: list[Path], show: int) -> None:
    print("\n## What is found in catalogues, and the time it takes\n")
    print("| column | texts | with something found | of what kinds | MB/s | us per text |")
    print("|---|---|---|---|---|---|")
    examples = []
    for name, texts in catalogues(tables):
        start = time.process_time()
        masked = [mask(text) for text in texts]
        seconds = time.process_time() - start
        kinds = Counter(str(each.kind) for one in masked for each in one.found)
        n_hit = sum(bool(one.found) for one in masked)
        said = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()) or "-"
        size = sum(len(text.encode()) for text in texts) / 1e6
        print(
            f"| {name} | {len(texts)} | {n_hit} ({n_hit / len(texts):.3%}) | {said} "
            f"| {size / seconds:.2f} | {seconds / len(texts) * 1e6:.0f} |",
            flush=True,
        )
        examples += [
            f"{name}: {text[max(0, each.start - 30) : each.start]}[{each.kind}: "
            f"{text[each.start : each.end]}]{text[each.end : each.end + 15]}"
            for text, one in zip(texts, masked, strict=True)
            for each in one.found
        ][:show]
    print("".join(f"\n    {' '.join(example.split())}" for example in examples))


def print_growth() -> None:
    print(f"\n## Texts made to be slow\n\n| repeated | us per letter at {LENGTH:,} | ratio of the "
          f"time at {4 * LENGTH:,} to that at {LENGTH:,} |\n|---|---|---|")  # fmt: skip
    for piece in HARD:
        once, four_times = (
            min(timed((piece * n)[:n]) for _ in range(2)) for n in (LENGTH, 4 * LENGTH)
        )
        print(f"| `{piece}` | {once / LENGTH * 1e6:.1f} | {four_times / once:.2f} |", flush=True)


def timed(text: str) -> float:
    start = time.process_time()
    mask(text)
    return time.process_time() - start


if __name__ == "__main__":
    main()
