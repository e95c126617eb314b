"""CPU seconds of a training step: Longtale's sequence model and SASRec of RecTools, in turns.

    python -m benchmarks.peers.step ~/data/amazon-beauty
    python -m benchmarks.peers.step ~/data/amazon-beauty --full      # softmax over all items

Run it from the root of the repository. Both train on the same histories, by their own loops and in
an environment of their own, one step each at a time, on one thread; each says what it spent.
Number of sequences in a step, events read, width, layers, heads, dropout and negatives are equal.
What differs is how it is done: RecTools pads every sequence to its full length and draws negatives
for each position, Longtale pads little, skips padding in the loss and shares a step's negatives.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarks.peers.environments import ONE_THREAD, RUNNERS, python_of
from benchmarks.peers.exchange import arrays_of
from benchmarks.quality import opened

from longtale.data.splits.split import ProtocolName, split

WARM_UP = 5
N_BLOCKS = 5
"""Parts of the run whose ratios say how far chance goes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="movielens-small")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--environments", type=Path, default=Path(".peers"))
    parser.add_argument("--full", action="store_true", help="compare each position with all items")
    for name, value in (("batch-size", 128), ("max-length", 50), ("width", 64), ("n-blocks", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--n-heads", type=int, default=2)
    parser.add_argument("--n-negatives", type=int, default=256)
    asked = parser.parse_args()
    os.environ.update(ONE_THREAD)
    names = ("batch_size", "max_length", "width", "n_blocks", "n_heads", "n_negatives")
    settings = {name: getattr(asked, name) for name in names}
    settings |= {"dropout": 0.2, "is_full": asked.full}
    dataset, project = opened(asked.folder)
    fold = split(dataset, ProtocolName.REFIT, project.split).test
    with tempfile.TemporaryDirectory() as made:
        task = Path(made) / "test.npz"
        np.savez(task, **arrays_of(fold))
        pythons = {
            "rectools": str(python_of("rectools", asked.environments)),
            "longtale": sys.executable,
        }
        workers = {name: worker(name, python, task, settings) for name, python in pythons.items()}
        spent = in_turns(workers, WARM_UP + asked.steps)
    print(f"{platform.platform()}, one thread; {Path(asked.folder).name}; {json.dumps(settings)}\n")
    print_ratio({name: np.array(times[WARM_UP:]) for name, times in spent.items()})


def worker(
    name: str, python: str, task: Path, settings: dict[str, object]
) -> subprocess.Popen[str]:
    command = [python, str(RUNNERS / f"step_of_{name}.py"), str(task), json.dumps(settings)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def in_turns(workers: dict[str, subprocess.Popen[str]], n_steps: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(n_steps):
        for name, process in workers.items():
            process.stdin.write("go\n")
            said = process.stdout.readline()
            if not said:
                sys.exit(f"{name} stopped with exit status {process.wait()}")
            spent[name].append(float(said))
    for process in workers.values():
        process.stdin.close()
        process.wait()
    return spent


def print_ratio(spent: dict[str, np.ndarray]) -> None:
    print("| | mean ms per step | median ms per step | steps |\n|---|---:|---:|---:|")
    for name, times in spent.items():
        mean, median = 1000 * times.mean(), 1000 * np.median(times)
        print(f"| {name} | {mean:.1f} | {median:.1f} | {len(times)} |")
    theirs, ours = spent["rectools"], spent["longtale"]
    parts = zip(np.array_split(theirs, N_BLOCKS), np.array_split(ours, N_BLOCKS), strict=True)
    ratios = [a.sum() / b.sum() for a, b in parts]
    print(
        f"\nRecTools / Longtale: {theirs.sum() / ours.sum():.1f} "
        f"(fifths of the run: {min(ratios):.1f} to {max(ratios):.1f})"
    )


if __name__ == "__main__":
    main()
