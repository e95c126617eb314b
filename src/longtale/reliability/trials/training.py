"""Bounded training: it stays within its memory, says how far it is, and survives being killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from longtale.data.synthetic import generated
from longtale.errors import BundleError, LongtaleError
from longtale.recommend import bundle
from longtale.recommend.folder import seal
from longtale.recommend.train import train
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.reliability.server_process import Flaw, started
from longtale.reliability.worlds import LARGE, SMALL, SOURCES, Size, trial_settings
from longtale.seeds import generator
from longtale.stages import Advance

MOST_MB = 4_096.0
_KILLED_AT = ("fit ease for validation", "seal")
"""Stages at whose beginning a training is killed: while it fits, and while it writes."""
_LONG_S = 10.0
"""Stages that take longer must say how much is left."""
_PATIENCE_S = 1_800.0


def training(bench: Bench) -> Outcome:
    """Kill a training twice, let it run a third time, and look at what it took and left."""
    size = LARGE if bench.scale.is_large else SMALL
    room = bench.room()
    half_made: list[str] = []
    for stage in _KILLED_AT:
        _trained(room, size, bench.flaw, until=stage)
        if (room / "bundle").exists():
            half_made.append(stage)
    marks = _trained(room, size, bench.flaw, until=None)
    long_without_end = [m["stage"] for m in marks if m["s"] > _LONG_S and m["total"] is None]
    peak_mb = max((mark["peak_mb"] for mark in marks), default=0.0)
    measured = {
        "items": size.n_items,
        "events": size.n_events,
        "killed": len(_KILLED_AT),
        "half_made_bundles": len(half_made),
        "finished_after_kills": _is_whole(room / "bundle"),
        "peak_mb": round(peak_mb),
        "s": round(sum(mark["s"] for mark in marks if mark["stage"] != "seal"), 1),
        "long_stages_without_time_left": len(long_without_end),
    }
    wrong = [f"a bundle is there that was not finished, after a kill at {half_made}"]
    wrong = wrong if half_made else []
    wrong += [] if measured["finished_after_kills"] else ["it did not finish after a kill"]
    wrong += [f"it took {peak_mb:.0f} MB"] if peak_mb > MOST_MB else []
    wrong += [f"no time left is told in {long_without_end}"] if long_without_end else []
    return Outcome(measured, not wrong, "; ".join(wrong))


@contextmanager
def written_in_place() -> Iterator[None]:
    """Write a bundle where it is to be, part by part."""

    @contextmanager
    def in_place(folder: Path) -> Iterator[Path]:
        if folder.exists() and any(folder.iterdir()):
            raise BundleError(f"'{folder}' is there and is no bundle")
        folder.mkdir(exist_ok=True)
        yield folder

    with patch.object(bundle, "writing", in_place):
        yield


class _Marks:
    """Writes down what each stage of a training took, and kills the process where one begins."""

    def __init__(self, file: Path, until: str | None) -> None:
        self._file = file
        self._until = until

    @contextmanager
    def stage(self, name: str, *, total: int | None) -> Iterator[Advance]:
        """Write what a stage took, once it is over."""
        if name == self._until:
            os.kill(os.getpid(), signal.SIGKILL)
        begun = time.perf_counter()
        yield lambda _: None
        took_s = time.perf_counter() - begun
        facts = {"stage": name, "total": total, "s": took_s, "peak_mb": _peak_mb()}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def _train(room: Path, size: Size, marks: Path, flaw: Flaw | None, until: str | None) -> None:
    watched = _Marks(marks, until)

    def watched_seal(folder: Path, facts: Mapping[str, Any]) -> None:
        with watched.stage("seal", total=1):
            seal(folder, facts)

    with suppress(LongtaleError), nullcontext() if flaw is None else flaw():
        rng = generator(0, "training")
        dataset = generated(rng, size.n_users, size.n_items, size.n_events)
        found = train(dataset, trial_settings(SOURCES), quality="fast", progress=watched)
        with watched.stage("write", total=1), patch.object(bundle, "seal", watched_seal):
            bundle.save(found, room / "bundle")


def _trained(
    room: Path, size: Size, flaw: Flaw | None, *, until: str | None
) -> Sequence[Mapping[str, Any]]:
    """Train in a process of its own, until a stage begins or to the end; give the stages."""
    marks = room / f"marks-{until}.jsonl"
    marks.touch()
    process = started(_train, room, size, marks, flaw, until)
    process.join(_PATIENCE_S)
    process.kill()
    return [json.loads(line) for line in marks.read_text(encoding="utf-8").splitlines()]


def _is_whole(folder: Path) -> bool:
    try:
        bundle.load(folder)
    except BundleError:
        return False
    return True


def _peak_mb() -> float:
    """Give the most memory that this process had in use."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
