"""The guarantees as a suite: `reliability`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from longtale.cli.command import Outcome
from longtale.cli.progress import showing_progress
from longtale.cli.render import Cell, draw_titled, safe, table_of
from longtale.errors import MissingExtraError

if TYPE_CHECKING:
    from longtale.reliability.suite import Report

Action = Literal["run", "list"]
_STYLES = {"kept": "green", "slow here": "yellow", "broken": "red", "not tried": "dim"}


def reliability(
    action: Annotated[Action, typer.Argument(help="Try the guarantees, or list them.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Try little of each: some minutes, on the films.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Try this guarantee alone.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="NAME", help="Leave this one out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.json, .html and .md.")
    ] = None,
) -> Outcome:
    """Try what the service promises, each promise with a fault that the trial must find.

    Servers are started, loaded, killed and broken in a temporary folder; nothing of yours is
    touched. Without --quick it takes hours, and speed is measured with 100,000 items.
    """
    try:
        from longtale.reliability.scale import FULL, QUICK
        from longtale.reliability.suite import chosen_guarantees, run_suite
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            str(error.name), extra="reliability", purpose="trying the guarantees"
        ) from None
    if action == "list":
        return _listed([(g.name, g.promise) for g in chosen_guarantees(only or (), without or ())])
    with showing_progress() as progress:
        report = run_suite(
            QUICK if quick else FULL, only=only or (), without=without or (), progress=progress
        )
    if out is not None:
        _write(report, out)
    code = 0 if report.is_proven else 1
    return Outcome(report.as_dict(), lambda console: _draw(console, report), code)


def _listed(guarantees: list[tuple[str, str]]) -> Outcome:
    def draw(console: Console) -> None:
        draw_titled(console, "Guarantees", table_of(["Name", "Promise"], guarantees))

    return Outcome({"guarantees": dict(guarantees)}, draw)


def _write(report: Report, folder: Path) -> None:
    from longtale.reliability.pages import html, markdown

    folder.mkdir(parents=True, exist_ok=True)
    values = report.as_dict()
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    for name, content in (
        ("report.json", text + "\n"),
        ("report.html", html(values)),
        ("report.md", markdown([values])),
    ):
        (folder / name).write_text(content, encoding="utf-8")


def _draw(console: Console, report: Report) -> None:
    from longtale.reliability.pages import figures

    rows: list[list[Cell]] = []
    for verdict in report.verdicts:
        caught = {None: "–", True: "caught", False: "NOT CAUGHT"}[verdict.is_mutant_caught]
        state = Text(verdict.state.value, style=_STYLES[verdict.state.value])
        measured = "; ".join(f"{name} {value}" for name, value in figures(verdict.measured))
        rows.append([verdict.name, state, caught, f"{verdict.seconds:.0f}", safe(measured)])
    columns = ["Promise", "State", "Mutant", "Seconds>", "Measured"]
    draw_titled(console, f"Reliability, {report.scale} run", table_of(columns, rows))
    for verdict in report.verdicts:
        if verdict.detail:
            console.print(f"{verdict.name}: {safe(verdict.detail)}")
