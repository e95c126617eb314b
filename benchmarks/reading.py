"""How long, and in how much memory, a log of events is read, checked and indexed.

    python benchmarks/reading.py --events 20000000 --format csv
    python benchmarks/reading.py --path FOLDER        # with its longtale.toml, or columns inferred

Generated events are seeded: users uniform, items by Zipf's law, times over two years, ratings, one
row in ten thousand damaged. The folder is read in a process of its own, whose peak is what the
kernel counted for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from longtale.seeds import generator

CHUNK = 1_000_000
START = 1_600_000_000
TWO_YEARS = 63_072_000
READ = """
import json, resource, sys, time
from pathlib import Path
from longtale.data.inference.infer import infer
from longtale.data.intake.mapping import DataSettings
from longtale.data.intake.prepare import read_dataset
from longtale.settings import read_toml
folder, described = Path(sys.argv[1]), Path(sys.argv[1], "longtale.toml")
settings = (
    DataSettings.parse(read_toml(described)["data"])
    if described.exists()
    else infer(folder).settings
)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
intake = read_dataset(settings, folder)
seconds = time.perf_counter() - start
dataset, report = intake.dataset, intake.report
print(json.dumps({
    "seconds": round(seconds, 2),
    "peak_rss_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
    "imports_rss_gib": round(before / 2**20, 3),
    "rows_read": sum(table.n_read for table in report.tables),
    "rows_quarantined": sum(table.n_quarantined for table in report.tables),
    "users": dataset.n_users, "items": dataset.n_items, "interactions": len(dataset.interactions),
}))
"""
SETTINGS = """
[data.events]
source = "events.{form}"
user = "user_id"
item = "item_id"
time = "timestamp"
value = "rating"
"""


def generate(folder: Path, n_events: int, form: str) -> None:
    """Write `events.csv` or `events.parquet` and the settings that read it."""
    rng = generator(0, "benchmark of reading")
    n_users, n_items = max(n_events // 145, 1), max(n_events // 750, 1)
    parts = []
    for start in range(0, n_events, CHUNK):
        n = min(CHUNK, n_events - start)
        part = folder / f"part-{start:012}.parquet"
        _events(rng, n, n_users, n_items).write_parquet(part)
        parts.append(part)
    events = pl.scan_parquet(parts)
    if form == "csv":
        events.sink_csv(folder / "events.csv")
    else:
        events.sink_parquet(folder / "events.parquet")
    for part in parts:
        part.unlink()
    (folder / "longtale.toml").write_text(SETTINGS.format(form=form))


def _events(rng: np.random.Generator, n: int, n_users: int, n_items: int) -> pl.DataFrame:
    users = rng.integers(n_users, size=n)
    items = (rng.zipf(1.2, size=n) - 1) % n_items
    times = START + rng.integers(TWO_YEARS, size=n)
    times[rng.random(n) < 1e-4] = -1
    return pl.DataFrame({"u": users, "i": items, "timestamp": times}).select(
        pl.format("user-{}", "u").alias("user_id"),
        pl.format("item-{}", "i").alias("item_id"),
        pl.Series("rating", rng.integers(1, 11, size=n) / 2),
        "timestamp",
    )


def measure(folder: Path) -> dict[str, float]:
    """Read a folder in a fresh process; give its seconds, peak memory and counts."""
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        sys.exit(ran.stderr)
    found: dict[str, float] = json.loads(ran.stdout)
    return {**found, "rows_per_second": round(found["rows_read"] / max(found["seconds"], 1e-9))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000_000, help="how many to generate")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--path", type=Path, help="measure this folder instead")
    chosen = parser.parse_args()
    if chosen.path is not None:
        print(json.dumps({"folder": chosen.path.name, **measure(chosen.path)}, indent=2))
        return
    with tempfile.TemporaryDirectory() as made:
        generate(Path(made), chosen.events, chosen.format)
        size = sum(file.stat().st_size for file in Path(made).iterdir()) / 2**20
        found = measure(Path(made))
    print(json.dumps({"format": chosen.format, "file_mib": round(size), **found}, indent=2))


if __name__ == "__main__":
    main()
