"""How fast the service answers over HTTP, in turn with an endpoint of Starlette that does nothing.

    python benchmarks/serving.py                             # the films that come with the package
    python benchmarks/serving.py 10000:100000 100000:1000000 --seconds 20
    python benchmarks/serving.py ~/shop/bundle

A world is a bundle, or items:events of a generated one, which is trained first with the sources of
`longtale reliability`. Asked is `GET /v1/recommend/{user}?explain=codes` for users drawn at random;
the service runs in a process of its own with its default settings and keeps every slate. First one
request after the other; then at rates, whatever comes back (open loop: a request's time counts from
when it was due). Between the parts of each measurement the endpoint that does nothing is measured.
Capacity is the most answers a second that come within 200 ms.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from longtale.recommend.bundle import load
from longtale.reliability.bench import Bench
from longtale.reliability.load import Timed, one_by_one, open_loop, percentile, with_status
from longtale.reliability.noop import noop_server
from longtale.reliability.scale import FULL
from longtale.reliability.trials.reads import capacity, known_users, peak, slates
from longtale.reliability.worlds import Size, Worlds

RATES = (25, 50, 100, 200)
PARTS = 4
EVENTS_PER_USER = 20
FILMS = "films"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("worlds", nargs="*", default=[FILMS])
    parser.add_argument("--requests", type=int, default=200, help="sent one by one")
    parser.add_argument("--seconds", type=float, default=8.0, help="that each rate is held")
    asked = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="longtale-") as folder:
        bench = Bench(FULL, Worlds(Path(folder)))
        for name in asked.worlds:
            measure(bench, bundle_of(bench.worlds, name), asked.requests, asked.seconds)


def bundle_of(worlds: Worlds, name: str) -> Path:
    """Give the bundle of a world, trained where it is a generated one."""
    if name == FILMS:
        return worlds.films
    n_items, colon, n_events = name.partition(":")
    if not colon:
        return Path(name).expanduser()
    n_users = int(n_events) // EVENTS_PER_USER
    return worlds.generated(Size(n_users, int(n_items), int(n_events)))


def measure(bench: Bench, bundle: Path, n_requests: int, seconds: float) -> None:
    recommender = load(bundle)
    dataset, users = recommender.dataset, known_users(recommender.dataset.users.ids.to_list())
    with bench.server(bench.project(bundle, bench.room())) as server, noop_server() as noop:
        alone: dict[str, list[Timed]] = {server.url: [], noop: []}
        paced: dict[tuple[str, int], list[Timed]] = {}
        for url in alone:
            one_by_one(url, slates(url, users), n=20)
        for _ in range(PARTS):
            for url, found in alone.items():
                make = slates(url, users)
                found += one_by_one(url, make, n=n_requests // PARTS)
                for rate in RATES:
                    timed = open_loop(url, make, per_s=rate, seconds=seconds / PARTS)
                    paced.setdefault((url, rate), []).extend(timed)
        most = capacity(server.url, users, seconds=5 * seconds)
        most_of_noop = peak(noop, users, seconds=1.0)
        memory = server.memory_mb()
    print(f"\n## {dataset.n_items:,} items, {len(dataset.interactions):,} events\n")
    print("| requests | p50 ms | p99 ms | turned away | no-op p50 | no-op p99 |")
    print("|---|---|---|---|---|---|")
    print(row("one by one", alone[server.url], alone[noop]))
    for rate in RATES:
        print(row(f"{rate} a second", paced[server.url, rate], paced[noop, rate]))
    print(f"\nCapacity {most:.0f} a second, no-op {most_of_noop:.0f}; {memory:.0f} MB in use.")


def row(name: str, own: Sequence[Timed], noop: Sequence[Timed]) -> str:
    served = with_status(own, 200)
    cells = [percentile(served, 50), percentile(served, 99), percentile(noop, 50)]
    p50, p99, noop_p50 = (f"{ms:.2f}" for ms in cells)
    away = len(own) - len(served)
    return f"| {name} | {p50} | {p99} | {away} | {noop_p50} | {percentile(noop, 99):.2f} |"


if __name__ == "__main__":
    main()
