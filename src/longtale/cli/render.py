"""How slates and tables look on a terminal, and in a pipe."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from longtale.recommend.answer import Answer, AnswerItem

Cell = str | Text
ROOMY = 140
"""Columns from which the reason of an item has a column of its own."""
_N_SOURCES = 2
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of everything after them."""


def safe(text: str) -> str:
    r"""Give text from the data on one line, without what could steer the terminal.

    Example:
        >>> safe("a\tred \x1b[31m\nline")
        'a red �[31m line'
    """
    return "".join(map(_safe_character, " ".join(text.split())))


def _safe_character(character: str) -> str:
    # Cc are control characters, Cs lone surrogates.
    is_steering = unicodedata.category(character) in ("Cc", "Cs")
    return "\ufffd" if is_steering or character in _TURNING else character


def table_of(columns: Iterable[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Lay out a table; a column whose name ends in `>` holds numbers and stands right."""
    table = empty_table()
    for column in columns:
        is_number = column.endswith(">")
        table.add_column(
            column.removesuffix(">"),
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def empty_table() -> Table:
    """Give a table without columns in the one look that all have."""
    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )


def draw_titled(console: Console, title: str, table: Table) -> None:
    """Show a table under its title, with room above."""
    console.print()
    console.print(Text(title, style="bold"))
    console.print(table)


def draw_slate(console: Console, answer: Answer, titles: Mapping[str, str], heading: str) -> None:
    """Show a slate under a heading; where it is empty, say so.

    Args:
        console: where to.
        answer: the slate.
        titles: a name to show for each id in it.
        heading: one line above it.
    """
    console.print(Text(heading, style="bold"))
    if not answer.items:
        console.print("no item is left: loosen the filter or the exclusions")
        return
    console.print(_slate_table(answer, titles, is_roomy=console.width >= ROOMY))
    if answer.degraded:
        console.print(f"degraded, these failed: {', '.join(answer.degraded)}", style="yellow")
    console.print(
        f"in {answer.took_ms:.1f} ms by model {answer.model_version}",
        style="dim",
    )


def _slate_table(answer: Answer, titles: Mapping[str, str], *, is_roomy: bool) -> Table:
    table = empty_table()
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("Title", overflow="fold", min_width=20)
    table.add_column("Id", overflow="fold", max_width=24, style="cyan")
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Band", no_wrap=True)
    table.add_column("Sources", no_wrap=True)
    if is_roomy:
        table.add_column("Why", overflow="fold")
    for item in answer.items:
        table.add_row(*_cells(item, titles[item.id], is_roomy=is_roomy))
    return table


def _cells(item: AnswerItem, name: str, *, is_roomy: bool) -> list[Cell]:
    why = safe("; ".join(reason.text for reason in item.reasons))
    title = Text(safe(name)) if is_roomy else Text.assemble(safe(name), "\n", (why, "dim"))
    sources = Text((", " if is_roomy else "\n").join(_strongest_sources(item)), style="dim")
    cells: list[Cell] = [str(item.rank), title, safe(item.id)]
    score = "–" if item.score is None else f"{item.score:.3f}"
    cells += [score, item.band.value, sources]
    return [*cells, why] if is_roomy else cells


def _strongest_sources(item: AnswerItem) -> list[str]:
    added = {name: share for name, share in item.sources.items() if share > 0}
    total = sum(added.values())
    best = sorted(added, key=lambda name: -added[name])[:_N_SOURCES]
    return [f"{name} {added[name] / total:.0%}" for name in best if added[name] >= total / 100]
