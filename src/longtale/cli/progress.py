"""How far a job is: one bar per stage on a terminal, nothing elsewhere."""

from __future__ import annotations

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
from longtale.recommend.cost import Advance, NoProgress, Progress


class _Clock(ProgressColumn):
    """The time left where it can be told, else the time spent."""

    def render(self, task: Task) -> Text:
        if task.finished or task.time_remaining is None:
            return Text(f"{task.finished_time or task.elapsed or 0:.1f} s", style="dim")
        minutes, seconds = divmod(int(task.time_remaining), 60)
        return Text(f"{minutes}:{seconds:02} left")


class StageBars:
    """Draws each stage as a bar with its share done, the time spent and the time left."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextmanager
    def stage(self, name: str, *, total: int | None) -> Iterator[Advance]:
        """Draw one stage; it is ticked off at its end."""
        task = self._bars.add_task(name, total=total)
        yield lambda n: self._bars.advance(task, n)
        done = 1 if total is None else total
        self._bars.update(task, total=done, completed=done)


@contextmanager
def showing_progress() -> Iterator[Progress]:
    """Show progress on standard error while a job runs, where that is a terminal."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        yield NoProgress()
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        _Clock(),
    )
    with Bars(*columns, console=shown) as bars:
        yield StageBars(bars)
