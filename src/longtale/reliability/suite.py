"""All guarantees, and the run that tries them one after the other."""

from __future__ import annotations

import logging
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longtale import __version__, log
from longtale.errors import SettingsError, did_you_mean
from longtale.recommend.cost import NoProgress, Progress
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Guarantee, Verdict, tried
from longtale.reliability.promises import GUARANTEES
from longtale.reliability.scale import Scale
from longtale.reliability.worlds import Worlds

_LOGGERS = ("longtale", "uvicorn.error")


@dataclass(frozen=True)
class Report:
    """What a run found.

    Args:
        scale: how much was tried.
        verdicts: one for each guarantee that was asked for.
        machine: where it was tried.
        began_at: when, UTC.
        seconds: how long it took.
    """

    scale: str
    verdicts: Sequence[Verdict]
    machine: str
    began_at: str
    seconds: float

    @property
    def is_proven(self) -> bool:
        """Whether no promise was broken and every mutant was caught."""
        return all(verdict.is_proven for verdict in self.verdicts)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        return {
            "scale": self.scale,
            "longtale": __version__,
            "machine": self.machine,
            "began_at": self.began_at,
            "seconds": self.seconds,
            "is_proven": self.is_proven,
            "guarantees": [verdict.as_dict() for verdict in self.verdicts],
        }


def run_suite(
    scale: Scale,
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Try guarantees in a temporary folder, and give what was found.

    Args:
        scale: how much is tried.
        only: names of the guarantees that are tried; none is all.
        without: names of those that are not.
        progress: shows how far it is; None shows nothing.

    Raises:
        SettingsError: there is no guarantee of a name.
    """
    chosen = chosen_guarantees(only, without)
    shown = NoProgress() if progress is None else progress
    begun, began_at = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="longtale-") as folder:
        bench = Bench(scale, Worlds(Path(folder)))
        for guarantee in chosen:
            with shown.stage(guarantee.name, total=None), _quiet():
                verdict = tried(guarantee, bench, scale.misses)
            verdicts.append(verdict)
            log.info("guarantee tried", name=verdict.name, state=verdict.state, s=verdict.seconds)
    seconds = round(time.perf_counter() - begun, 1)
    return Report(scale.name, verdicts, _machine(), began_at, seconds)


def chosen_guarantees(only: Sequence[str], without: Sequence[str]) -> list[Guarantee]:
    """Give the guarantees that are asked for, in their order.

    Raises:
        SettingsError: there is none of a name.
    """
    names = [guarantee.name for guarantee in GUARANTEES]
    for name in (*only, *without):
        if name not in names:
            raise SettingsError(
                f"there is no guarantee '{name}'; there are {', '.join(names)}"
                f"{did_you_mean(name, names)}"
            )
    return [g for g in GUARANTEES if (not only or g.name in only) and g.name not in without]


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing of what is broken on purpose."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
