"""How memory and CPU time of each retriever grow with the number of events and of items.

    python -m benchmarks.growth                                  # the table; some ten minutes
    python -m benchmarks.growth --plot growth.svg --only als ease

Run it from the root of the repository. Generated data (`longtale.data.synthetic.generated`): users
of 20 events in the mean, popularity by Zipf's law, titles of one topic each; vectors of the items
are random of width 192, so that no language model is measured here. Each point is a process of its
own on one thread: generate, fit, then answer 256 users at once and 20 users one by one, top 10
included. Memory is the most that the whole process held; what it held before the fit, data and
programs, is the last row. Of a model that is trained in passes, one pass is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from benchmarks.peers.runners.task import peak_mb

from longtale.arrays import unit_rows
from longtale.data.candidates import Candidates
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.synthetic import generated
from longtale.recommend.assemble import TRAINED, Fitting, fit_retriever
from longtale.recommend.settings import ModelsSettings
from longtale.seeds import generator

EVENTS = (10_000, 100_000, 1_000_000)
ITEMS = (1_000, 10_000, 100_000)
MIDDLE_EVENTS, MIDDLE_ITEMS = 100_000, 10_000
POINTS = tuple(
    dict.fromkeys([*((n, MIDDLE_ITEMS) for n in EVENTS), *((MIDDLE_EVENTS, n) for n in ITEMS)])
)
"""Number of events and of items of each point."""
EVENTS_PER_USER = 20
WIDTH = 192
N_BATCH, N_SINGLE = 256, 20
MEASURES = {
    "fit_s": "fit, CPU seconds",
    "peak_mb": "peak memory, MB",
    "batch_ms": "ms per user, 256 at once",
    "single_ms": "ms per user, one by one",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=every_retriever())
    parser.add_argument("--plot", type=Path, help="draw here; png, svg or pdf")
    parser.add_argument("--json", type=Path, help="keep figures here, and take those that are")
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.point is not None:
        name, n_events, n_items = asked.point
        print(json.dumps(measured(name, int(n_events), int(n_items))))
        return
    found = every_point(asked.only, asked.json)
    print(f"{platform.platform()}, Python {platform.python_version()}, one thread\n")
    print_tables(found, asked.only)
    if asked.plot is not None:
        plot(found, asked.only, asked.plot)


def every_point(names: Sequence[str], kept: Path | None) -> list[dict[str, Any]]:
    """Measure what was not measured before; what is kept is written after each point."""
    found = json.loads(kept.read_text()) if kept is not None and kept.is_file() else []
    known = {(f["retriever"], f["events"], f["items"]) for f in found}
    for name in names:
        for point in POINTS:
            if (name, *point) not in known:
                found.append(in_own_process(name, *point))
                if kept is not None:
                    kept.write_text(json.dumps(found, indent=1))
    return found


def every_retriever() -> list[str]:
    return list(dict.fromkeys([*ModelsSettings().use, *TRAINED]))


def in_own_process(name: str, n_events: int, n_items: int) -> dict[str, Any]:
    print(f"{name}: {n_events:,} events, {n_items:,} items", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.growth", "--point"]
    ran = subprocess.run(
        [*command, name, str(n_events), str(n_items)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        sys.exit(ran.stderr)
    figures: dict[str, Any] = json.loads(ran.stdout)
    return {"retriever": name, "events": n_events, "items": n_items, **figures}


def measured(name: str, n_events: int, n_items: int) -> dict[str, float]:
    rng = generator(0, "benchmark of growth")
    dataset = generated(rng, n_events // EVENTS_PER_USER, n_items, n_events)
    vectors = unit_rows(rng.standard_normal((n_items, WIDTH), dtype=np.float32))
    users = rng.integers(dataset.n_users, size=N_BATCH)
    before = settled_mb()
    start = time.process_time()
    retriever = fit_retriever(name, Fitting(dataset, vectors, settings_of(name)))
    fitted = time.process_time()
    answer(retriever, dataset, users)
    batched = time.process_time()
    for user in users[:N_SINGLE]:
        answer(retriever, dataset, np.array([user]))
    single = time.process_time()
    return {
        "fit_s": fitted - start,
        "batch_ms": 1000 * (batched - fitted) / N_BATCH,
        "single_ms": 1000 * (single - batched) / N_SINGLE,
        "peak_mb": peak_mb(),
        "data_mb": before,
    }


def settings_of(name: str) -> ModelsSettings:
    """Give the settings as they are, but one pass for what is trained in passes."""
    settings = ModelsSettings()
    if name not in TRAINED:
        return settings
    once = getattr(settings, name).model_copy(update={"stop_after": 1})
    return settings.model_copy(update={name: once})


def settled_mb() -> float:
    """Give what the process holds now, and forget on Linux what it held for a moment before."""
    forget = Path("/proc/self/clear_refs")
    if forget.is_file():
        forget.write_text("5")
    return peak_mb()


def answer(retriever: Any, dataset: Dataset, users: np.ndarray) -> Candidates:
    queries = Queries(users.astype(np.int32), dataset.histories(users))
    return Candidates.best(retriever.scores(queries), 10)


def print_tables(found: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    for measure, title in MEASURES.items():
        print(f"| {title} | {' | '.join(f'{e:,} events, {i:,} items' for e, i in POINTS)} |")
        print("|---|" + "---:|" * len(POINTS))
        for name in names:
            own = {(f["events"], f["items"]): f[measure] for f in found if f["retriever"] == name}
            print(f"| {name} | {' | '.join(f'{own[point]:.3g}' for point in POINTS)} |")
        if measure == "peak_mb":
            data = {(f["events"], f["items"]): f["data_mb"] for f in found}
            print(f"| before the fit | {' | '.join(f'{data[p]:.3g}' for p in POINTS)} |")
        print()


def plot(found: Sequence[dict[str, Any]], names: Sequence[str], path: Path) -> None:
    """Draw each measure over events (left) and over items (right), on logarithmic axes."""
    from matplotlib.figure import Figure

    shown = list(MEASURES.items())[:3]
    figure = Figure(figsize=(10, 3.2 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 2, sharex="col", sharey="row")
    for row, (measure, title) in zip(panels, shown, strict=True):
        for axes, across in zip(row, ("events", "items"), strict=True):
            fixed, middle = other_of(across)
            for name in names:
                own = [f for f in found if f["retriever"] == name and f[fixed] == middle]
                own.sort(key=lambda f: f[across])
                heights = [max(f[measure], 1e-3) for f in own]
                axes.loglog([f[across] for f in own], heights, marker="o", label=name)
            axes.grid(color="#DDDDDD", linewidth=0.6)
        row[0].set_ylabel(title)
    for axes, across in zip(panels[-1], ("events", "items"), strict=True):
        fixed, middle = other_of(across)
        axes.set_xlabel(f"{across} ({middle:,} {fixed})")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(path, dpi=160)


def other_of(across: str) -> tuple[str, int]:
    return ("items", MIDDLE_ITEMS) if across == "events" else ("events", MIDDLE_EVENTS)


if __name__ == "__main__":
    main()
