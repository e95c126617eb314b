"""Longtale beside its peers, on one split: quality, CPU time, memory, time per answer.

    python -m benchmarks.peers.compare ~/data/amazon-beauty
    python -m benchmarks.peers.compare ~/data/amazon-beauty --only "irspack EASE" rectools

Run it from the root of the repository. Each peer lives in an environment of its own (made on the
first run, see `--environments`), is given the split that Longtale made, and fits each model in a
process of its own on one thread. Settings are chosen on the validation fold, among those that the
runner names (`runners/of_*.py`); time for that stands apart from the time of the last fit. All are
scored by Longtale's evaluator: full ranking, seen items masked, ties half. RecTools gives only its
first 100: what is not among them is taken as tied behind. `--answers FOLDER` keeps what the peers
answered, and takes from there what was answered before.

Longtale's models run last, in this process; `blend` is the whole of it. The last column is the
paired difference in nDCG@10 of the blend to the model, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from benchmarks.peers.environments import ONE_THREAD, PINS, RUNNERS, python_of
from benchmarks.peers.exchange import METRICS, Measured, read_answer, write_split
from benchmarks.quality import opened, seeded

from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, Protocol, ProtocolName, split
from longtale.evaluate.intervals import paired_test
from longtale.evaluate.report import Report
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import measure
from longtale.seeds import generator

MODELS = {
    "implicit": ("BM25 item-kNN", "cosine item-kNN", "iALS", "BPR"),
    "irspack": ("EASE", "iALS", "P3alpha", "RP3beta", "SLIM"),
    "cornac": ("EASE", "BPR"),
    "rectools": ("popular", "TF-IDF item-kNN", "EASE", "SASRec, 1 epoch"),
}
HEADER = (
    *("", *METRICS, "fit CPU-s", "tuning CPU-s", "ms per user", "peak MB"),
    "blend minus it, nDCG@10",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="movielens-small")
    parser.add_argument("--protocol", default="refit", choices=("refit", "strict", "time"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--environments", type=Path, default=Path(".peers"))
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of 'PEER MODEL'")
    parser.add_argument("--answers", type=Path, help="keep the peers' answers here")
    parser.add_argument("--quality", default="balanced", help="of Longtale's own models")
    parser.add_argument("--without-longtale", action="store_true")
    asked = parser.parse_args()
    os.environ.update(ONE_THREAD)
    dataset, settings = opened(asked.folder)
    settings = seeded(settings, asked.seed)
    cut = split(dataset, ProtocolName(asked.protocol), settings.split)
    wanted = [(peer, model) for peer, model in every_model() if is_wanted(peer, model, asked.only)]
    with tempfile.TemporaryDirectory() as made:
        folder = kept(asked.answers or Path(made), cut.protocol)
        write_split(cut, folder)
        rows = list(answers(wanted, asked.environments, folder, cut.test))
    if not asked.without_longtale:
        rows += longtale(dataset, asked.protocol, settings, asked.quality)
    print(f"\n## {Path(asked.folder).name}\n\n`{cut.protocol.stamp}`; {len(cut.test)} requests\n")
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread\n")
    print_table(rows)


def kept(folder: Path, protocol: Protocol) -> Path:
    """Give the folder of answers, which holds those to one split only."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "stamp.txt"
    if stamp.is_file() and stamp.read_text() != protocol.stamp:
        sys.exit(f"{folder} holds answers to '{stamp.read_text()}', not to '{protocol.stamp}'")
    stamp.write_text(protocol.stamp)
    return folder


def every_model() -> Iterator[tuple[str, str]]:
    for peer in PINS:
        for model in MODELS[peer]:
            yield peer, model


def is_wanted(peer: str, model: str, only: Sequence[str]) -> bool:
    return not only or any(f"{peer} {model}".startswith(beginning) for beginning in only)


def answers(
    wanted: Sequence[tuple[str, str]], environments: Path, folder: Path, fold: Fold
) -> Iterator[Measured]:
    """Run each model in its peer's environment; one that fails is named and left out."""
    for peer, model in wanted:
        name = f"{peer} {model}"
        out = folder / name.replace(" ", "-").replace(",", "")
        if not out.with_suffix(".json").is_file():
            print(name, file=sys.stderr, flush=True)
            runner = [str(python_of(peer, environments)), str(RUNNERS / f"of_{peer}.py")]
            command = [*runner, model, str(folder), str(out)]
            if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
                print(f"{name} failed", file=sys.stderr, flush=True)
                continue
        measured = read_answer(name, fold, out)
        print(f"{measured.values} {measured.cost}", file=sys.stderr, flush=True)
        yield measured


def longtale(
    dataset: Dataset, protocol: str, settings: LongtaleSettings, quality: str
) -> list[Measured]:
    report = measure(dataset, protocol, settings, quality=quality)
    return [_own(report, model) for model in report.models]


def _own(report: Report, model: str) -> Measured:
    """Give one of Longtale's models; the blend's cost is that of all parts, with its choices."""
    tail = report.find(model, "recall@10", "tail-items").value
    values = {m: report.find(model, m).value for m in METRICS if m != "tail recall@10"}
    spent = {name: s for name, s in report.cost.items() if name.endswith("_cpu_s")}
    cost: dict[str, float] = {}
    if model == "blend":
        cost["fit_cpu_s"] = sum(spent.values()) - spent["evaluate_cpu_s"]
        cost["peak_mb"] = report.cost["peak_memory_mb"]
    elif own := [s for name, s in spent.items() if name.startswith(f"fit {model} for")]:
        cost["fit_cpu_s"] = sum(own)
    per_user = report.per_user[model, "all", "ndcg@10"]
    return Measured(f"Longtale {model}", {**values, "tail recall@10": tail}, per_user, cost)


def print_table(rows: Sequence[Measured]) -> None:
    blend = next((row for row in rows if row.name == "Longtale blend"), None)
    print(f"| {' | '.join(HEADER)} |\n|---|{'---:|' * (len(HEADER) - 1)}")
    for row in rows:
        cells = [row.name, *(f"{row.values[name]:.4f}" for name in METRICS), *_costs(row)]
        print(f"| {' | '.join([*cells, _difference(blend, row)])} |", flush=True)


def _costs(row: Measured) -> list[str]:
    per_user = 1000 / len(row.per_user)
    amounts = (
        ("fit_cpu_s", 1.0, ".1f"),
        ("tune_cpu_s", 1.0, ".1f"),
        ("answer_cpu_s", per_user, ".2f"),
        ("peak_mb", 1.0, ".0f"),
    )
    return [f"{row.cost[n] * by:{how}}" if n in row.cost else "–" for n, by, how in amounts]


def _difference(blend: Measured | None, row: Measured) -> str:
    if blend is None or row is blend:
        return "–"
    test = paired_test(blend.per_user, row.per_user, rng=generator(0, "peers"), n_bootstrap=1000)
    low, high = (np.round(end, 4) for end in (test.low, test.high))
    return f"{test.difference:+.4f} ({low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main()
