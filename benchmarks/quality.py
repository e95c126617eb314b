"""How well the blend and each of its parts recommend, on real data, by protocol and slice.

    python benchmarks/quality.py movielens-small:time ~/data/amazon-beauty:refit

A folder holds a longtale.toml, or files that `longtale init` understands. Prints Markdown: full
ranking, seen items masked, ties counted half, 95 % bootstrap intervals over users; the paired
difference of the blend to its best part; what it cost; and over several seeds (--seeds 0 1 2),
which decide the split's dice and the models', the mean and the range.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from longtale.data.dataset import Dataset
from longtale.data.inference.infer import infer
from longtale.data.intake.prepare import read_dataset
from longtale.evaluate.comparison import paired
from longtale.evaluate.report import Report, Result
from longtale.recommend.project import SETTINGS_FILE, Project, read_movielens
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import measure

BUNDLED = "movielens-small"
METRICS = ("ndcg@10", "recall@10", "coverage@10", "tail_share@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks", nargs="+", metavar="FOLDER:PROTOCOL")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--validation-users", type=int, help="at most so many users validate")
    parser.add_argument("--json", type=Path, help="write the whole reports here")
    asked = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    reports: dict[str, list[Report]] = {}
    for task in asked.tasks:
        folder, _, protocol = task.rpartition(":")
        dataset, settings = opened(folder)
        reports[task] = [
            measure(
                dataset,
                protocol,
                seeded(validated_by(settings, asked.validation_users), seed),
                quality=asked.quality,
            )
            for seed in asked.seeds
        ]
        print_reports(f"{Path(folder).name}, {protocol}", reports[task])
    if asked.json is not None:
        plain = {task: [report.as_dict() for report in runs] for task, runs in reports.items()}
        asked.json.write_text(json.dumps(plain, indent=1))


def validated_by(settings: LongtaleSettings, n_users: int | None) -> LongtaleSettings:
    if n_users is None:
        return settings
    split = settings.split.model_copy(update={"n_validation_users": n_users})
    return settings.model_copy(update={"split": split})


def seeded(settings: LongtaleSettings, seed: int) -> LongtaleSettings:
    """Let one seed decide the split's dice and those of every model that has some."""
    own = {"seed": seed}
    split = settings.split.model_copy(update=own)
    rolling = ("als", "sequence", "sequence_text")
    models = settings.models.model_copy(
        update={name: getattr(settings.models, name).model_copy(update=own) for name in rolling}
    )
    ranker = settings.slate.ranker.model_copy(update=own)
    slate = settings.slate.model_copy(update={"ranker": ranker})
    return settings.model_copy(update={"split": split, "models": models, "slate": slate})


def opened(folder: str) -> tuple[Dataset, LongtaleSettings]:
    """Read the bundled films, a project, or a folder of files that explain themselves."""
    if folder == BUNDLED:
        return read_movielens(), LongtaleSettings()
    path = Path(folder).expanduser()
    if (path / SETTINGS_FILE).is_file():
        project = Project.open(path)
        return project.intake().dataset, project.settings
    settings = infer(path).settings
    return read_dataset(settings, path).dataset, LongtaleSettings()


def print_reports(title: str, reports: Sequence[Report]) -> None:
    first = reports[0]
    print(f"\n## {title}\n\n`{first.protocol.stamp}`\n")
    over_seeds = [f"{metric} over seeds" for metric in METRICS[:2]]
    head = ["model", *METRICS, *over_seeds]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for model in first.models:
        own = [first.find(model, metric) for metric in METRICS]
        spreads = [spread([r.find(model, m).value for r in reports]) for m in METRICS[:2]]
        print(f"| {' | '.join([model, *map(shown, own), *spreads])} |")
    print(f"\n| {METRICS[0]} by slice | users | {' | '.join(first.models)} |")
    print("|---|---|" + "---|" * len(first.models))
    for name in first.slices[1:]:
        row = [first.find(model, METRICS[0], name) for model in first.models]
        print(f"| {name} | {row[0].n} | {' | '.join(f'{r.value:.4f}' for r in row)} |")
    print_comparison(first)
    spent = sum(amount for name, amount in first.cost.items() if name.endswith("_cpu_s"))
    print(
        f"CPU seconds {spent:.0f}, peak memory {first.cost['peak_memory_mb']:.0f} MB.", flush=True
    )


def shown(result: Result) -> str:
    if np.isnan(result.low):
        return f"{result.value:.4f}"
    return f"{result.value:.4f} ({result.low:.4f} to {result.high:.4f})"


def spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def print_comparison(report: Report) -> None:
    parts = [model for model in report.models if model not in ("blend", "unranked")]
    best = max(parts, key=lambda model: report.find(model, METRICS[0]).value)
    (against,) = paired(report, "blend", [best], METRICS[0], rng=np.random.default_rng(0))
    test = against.test
    print(
        f"\nBlend minus {best}, {METRICS[0]}: {test.difference:+.4f} "
        f"({test.low:+.4f} to {test.high:+.4f}, p = {test.p:.4f})."
    )


if __name__ == "__main__":
    main()
