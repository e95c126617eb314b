"""How far a job is: one bar per stage on a terminal, nothing elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from longtale.cli.command import console
from longtale.recommend.cost import NoProgress, Progress
from longtale.stages import Advance

MENTIONED_SECONDS = 0.1
"""Stages that took less leave no line."""


class _Clock(ProgressColumn):
    """The time left where it can be told, else the time spent."""

    def render(self, task: Task) -> Text:
        if task.time_remaining is None:
            return Text(f"{task.elapsed or 0:.0f} s", style="dim")
        minutes, seconds = divmod(int(task.time_remaining), 60)
        return Text(f"{minutes}:{seconds:02} left")


class StageBars:
    """Draws the stage that runs as a bar, and leaves a line for each that is done."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextmanager
    def stage(self, name: str, *, total: int | None) -> Iterator[Advance]:
        """Draw one stage; it is ticked off at its end."""
        start = time.perf_counter()
        task = self._bars.add_task(name, total=total)
        yield lambda n: self._bars.advance(task, n)
        self._bars.remove_task(task)
        seconds = time.perf_counter() - start
        if seconds >= MENTIONED_SECONDS:
            done = Text.assemble(("✓ ", "green"), f"{name:<14}", (f"{seconds:7.1f} s", "dim"))
            self._bars.console.print(done)


@contextmanager
def showing_progress() -> Iterator[Progress]:
    """Show progress on standard error while a job runs, where that is a terminal."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        yield NoProgress()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        _Clock(),
    )
    with Bars(*columns, console=shown, transient=True) as bars:
        yield StageBars(bars)
