"""A corrupted bundle is refused, and the last good one goes on answering."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from longtale.errors import BundleError
from longtale.recommend import bundle
from longtale.recommend.folder import MANIFEST, verified
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.running import Running
from longtale.seeds import generator

Damage = Callable[[Path, np.random.Generator], None]
_N_PROMOTED = 3
"""How many damaged bundles of each kind are promoted in a running service."""


def corruption(bench: Bench) -> Outcome:
    """Damage a bundle in every way, and try to load it; some are promoted in a service."""
    rng = generator(0, "corruption")
    room = bench.room()
    good, damaged = bench.worlds.other_small, room / "models" / "damaged"
    version = str(verified(good)["version"])
    accepted: list[str] = []
    n_tried = 0
    with bench.running(bench.project(bench.worlds.small, room)) as running:
        for name, damage, n_times in _damages(bench.scale.n_flips):
            for n in range(n_times):
                shutil.copytree(good, damaged)
                damage(damaged, rng)
                is_refused = _is_refused(damaged)
                if n < _N_PROMOTED:
                    is_refused &= _is_refused_by(running, version)
                n_tried += 1
                if not is_refused:
                    accepted.append(name)
                shutil.rmtree(damaged)
        shutil.copytree(good, damaged)
        is_good_accepted = not _is_refused_by(running, version)
    measured = {"damaged": n_tried, "bits_turned": bench.scale.n_flips, "accepted": len(accepted)}
    told = f"accepted although damaged: {sorted(set(accepted))}" if accepted else ""
    if not is_good_accepted:
        told += "the bundle is refused although nothing is wrong with it"
    return Outcome(measured, not told, told)


@contextmanager
def digests_unread() -> Iterator[None]:
    """Take the manifest's word for what the parts are."""

    def trusted(folder: Path) -> dict[str, Any]:
        return json.loads((folder / MANIFEST).read_bytes())

    with patch.object(bundle, "verified", trusted):
        yield


def _damages(n_flips: int) -> tuple[tuple[str, Damage, int], ...]:
    n_others = max(_N_PROMOTED, n_flips // 50)
    return (
        ("a bit turned", _turned_bit, n_flips),
        ("a file cut short", _cut, n_others),
        ("a file missing", _missing, n_others),
        ("two files swapped", _swapped, n_others),
        ("a file too many", _added, n_others),
        ("a link in place of a file", _linked, n_others),
    )


def _is_refused(folder: Path) -> bool:
    """Say whether a bundle is refused for what it is."""
    try:
        bundle.load(folder)
    except BundleError:
        return True
    except Exception:  # noqa: BLE001  another error comes from using what was not refused
        return False
    return False


def _is_refused_by(running: Running, version: str) -> bool:
    """Say whether a service refuses a bundle and goes on with the one it has."""
    before = running.client.get("/v1/recommend/u1").json()["model_version"]
    answer = running.client.post(f"/v1/models/{version}/promote", json={})
    slate = running.client.get("/v1/recommend/u1")
    is_same = slate.status_code == 200 and slate.json()["model_version"] == before
    return answer.status_code in (404, 409) and is_same


def _turned_bit(folder: Path, rng: np.random.Generator) -> None:
    path = _drawn(folder, rng)
    content = bytearray(path.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def _cut(folder: Path, rng: np.random.Generator) -> None:
    path = _drawn(folder, rng)
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content)))])


def _missing(folder: Path, rng: np.random.Generator) -> None:
    _drawn(folder, rng).unlink()


def _swapped(folder: Path, rng: np.random.Generator) -> None:
    one = _drawn(folder, rng)
    others = [path for path in _files(folder) if path.read_bytes() != one.read_bytes()]
    other = others[int(rng.integers(len(others)))]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _added(folder: Path, rng: np.random.Generator) -> None:
    beside = _drawn(folder, rng)
    beside.with_name(f"{beside.stem}-2{beside.suffix}").write_bytes(beside.read_bytes())


def _linked(folder: Path, rng: np.random.Generator) -> None:
    path = _drawn(folder, rng)
    elsewhere = folder.parent.parent / "elsewhere"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


def _drawn(folder: Path, rng: np.random.Generator) -> Path:
    files = _files(folder)
    return files[int(rng.integers(len(files)))]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
