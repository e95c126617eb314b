"""What a job costs and how far it is: CPU seconds per stage, peak memory, progress."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from longtale import log
from longtale.stages import Advance, unseen


class Progress(Protocol):
    """Shows how far a job is; the command line draws it, a library user needs none."""

    def stage(self, name: str, *, total: int | None) -> AbstractContextManager[Advance]:
        """Begin a stage of `total` units (None: unknown); the context ends it."""
        ...


class NoProgress:
    """Shows nothing."""

    def stage(self, name: str, *, total: int | None) -> AbstractContextManager[Advance]:
        """Begin a stage in silence."""
        return unseen(name, total=total)


class Cost:
    """The books of one job."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = NoProgress() if progress is None else progress
        self.cpu_seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, *, total: int | None = None) -> Iterator[Advance]:
        """Show, log and book one stage; stages of the same name add up."""
        cpu, wall = time.process_time(), time.perf_counter()
        with self._progress.stage(name, total=total) as advance:
            yield advance
        spent = time.process_time() - cpu
        self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + spent
        log.info("stage done", stage=name, cpu_s=round(spent, 2), s=_since(wall))

    def as_dict(self) -> dict[str, float]:
        """Give CPU seconds per stage and the peak memory of the process in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        bytes_per_unit = 1 if sys.platform == "darwin" else 1024
        spent = {f"{name}_cpu_s": round(s, 3) for name, s in self.cpu_seconds.items()}
        return {**spent, "peak_memory_mb": round(peak * bytes_per_unit / 1e6, 1)}


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 2)
