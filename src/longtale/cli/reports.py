"""How an evaluation and an account of what was read look on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from longtale.cli.render import Cell, draw_titled, safe, table_of

if TYPE_CHECKING:
    from longtale.data.intake.prepare import IntakeReport
    from longtale.evaluate.comparison import Comparison
    from longtale.evaluate.report import Report, Result

_TABLES = ("events", "items", "users", "tags", "impressions")
_NO_COLUMNS = ("source", "time_unit", "default_kind")
_SURE = 0.05
"""Below this p one is called better than the other."""


def draw_report(
    console: Console, report: Report, metric: str, comparisons: Sequence[Comparison]
) -> None:
    """Show one metric by slice, all metrics of all requests, and how sure the blend's lead is.

    Args:
        console: where to.
        report: what was measured.
        metric: the one that is shown by slice, such as `ndcg@10`.
        comparisons: the blend against each of its parts.
    """
    console.print(Text(f"protocol {report.protocol.name}", style="bold"))
    console.print(f"{report.protocol.stamp}", style="dim")
    console.print(f"{report.n_requests} requests, {report.n_left_out} without a target left out")
    draw_titled(console, f"{metric} by slice, ± half the interval", _by_slice(report, metric))
    accuracy = dict.fromkeys(r.metric for r in report.results if r.is_accuracy)
    beyond = [m for m in report.metrics if m not in accuracy]
    for title, metrics in (("accuracy", list(accuracy)), ("beyond accuracy", beyond)):
        if metrics:
            draw_titled(console, title, _by_metric(report, metrics))
    if comparisons:
        title = f"{comparisons[0].first} against each part, {metric} (p after Holm)"
        draw_titled(console, title, _comparison_table(comparisons))
    spent = sum(s for name, s in report.cost.items() if name.endswith("_cpu_s"))
    memory = report.cost.get("peak_memory_mb", math.nan)
    console.print(f"cost: {spent:.1f} processor seconds, {memory:.0f} MB", style="dim")


def _by_slice(report: Report, metric: str) -> Table:
    found = {(r.model, r.slice): r for r in report.results if r.metric == metric}
    slices = [name for name in report.slices if any((m, name) in found for m in report.models)]
    heads = [f"{name.replace('-', chr(10))}>" for name in slices]
    n_of = {name: max(r.n for key, r in found.items() if key[1] == name) for name in slices}
    counts = ["requests", *(str(n_of[name]) for name in slices)]
    rows = _rows(report.models, slices, lambda model, name: found.get((model, name)))
    return table_of(["", *heads], [[Text(cell, style="dim") for cell in counts], *rows])


def _by_metric(report: Report, metrics: Sequence[str]) -> Table:
    found = {(r.model, r.metric): r for r in report.results if r.slice == "all"}
    heads = [f"{name.replace('_', chr(10)).replace('@', chr(10) + '@')}>" for name in metrics]
    rows = _rows(report.models, metrics, lambda model, name: found.get((model, name)))
    return table_of(["", *heads], rows)


def _rows(
    models: Sequence[str], columns: Sequence[str], find: Callable[[str, str], Result | None]
) -> list[list[Cell]]:
    best = {
        name: max((r.value for m in models if (r := find(m, name)) is not None), default=math.nan)
        for name in columns
    }
    return [
        [model, *(_cell(find(model, name), best=best[name]) for name in columns)]
        for model in models
    ]


def _cell(result: Result | None, *, best: float) -> Text:
    if result is None or math.isnan(result.value):
        return Text("-", style="dim")
    is_best = result.value == best and result.is_accuracy
    half = (result.high - result.low) / 2
    interval = "" if math.isnan(half) else f"\n±{_number(half)}"
    return Text.assemble(
        (_number(result.value), "bold green" if is_best else ""), (interval, "dim")
    )


def _number(value: float) -> str:
    shown = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return shown.removeprefix("0") if abs(value) < 1 else shown


def _comparison_table(comparisons: Sequence[Comparison]) -> Table:
    rows: list[list[Cell]] = [
        [
            c.second,
            f"{c.test.difference:+.4f}",
            f"{c.test.low:+.4f} to {c.test.high:+.4f}",
            f"{c.corrected_p:.3f}" if c.corrected_p >= 0.001 else "<.001",
            _verdict(c),
        ]
        for c in comparisons
    ]
    return table_of(["against", "difference>", "interval>", "p>", ""], rows)


def _verdict(comparison: Comparison) -> Text:
    if not comparison.corrected_p < _SURE:
        return Text("cannot tell", style="dim")
    is_better = comparison.test.difference > 0
    return Text("better", style="green") if is_better else Text("worse", style="red")


def draw_inferred(console: Console, values: Mapping[str, Any]) -> None:
    """Show which column was taken for what, what to look at, and the next command."""
    tables = {name: part for name, part in values["data"].items() if name in _TABLES}
    for name, part in tables.items():
        used = [(key, part[key]) for key in part if part[key] and key not in _NO_COLUMNS]
        rows = [[key, safe(_listed(column))] for key, column in used]
        console.print(table_of([name, safe(part["source"])], rows))
    for finding in values["unsure"]:
        console.print(f"! {finding['section']}: {safe(finding['note'])}", style="yellow")
    console.print(f"✓ wrote {safe(values['settings_file'])}; read it, then: {values['next']}")


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def draw_intake(console: Console, report: IntakeReport, facts: Mapping[str, Any]) -> None:
    """Show what was read, what was set aside and why, what looks odd, and what came of it."""
    columns = ["table", "from", "read>", "kept>", "duplicates>", "set aside>"]
    rows = [
        [
            t.name,
            safe(t.origin),
            *map(_count, (t.n_read, t.n_kept, t.n_duplicates, t.n_quarantined)),
        ]
        for t in report.tables
    ]
    console.print(table_of(columns, rows))
    for table in report.tables:
        for refusal in table.refusals:
            console.print(
                f"✗ {table.name}: {_rows_in_words(refusal.count)}: {safe(refusal.reason)}",
                style="red",
            )
            console.print(f"  {safe(refusal.hint)}")
            for example in refusal.examples:
                console.print(f"  {safe(example)}", style="dim")
        if table.quarantine_file is not None:
            console.print(f"  these rows are in {table.quarantine_file}")
    for warning in report.warnings:
        console.print(f"! {safe(warning)}", style="yellow")
    if not report.warnings and not any(table.refusals for table in report.tables):
        console.print("✓ every row is well", style="green")
    summary = table_of(["", ">"], [[name, _count(value)] for name, value in facts.items()])
    summary.show_header = False
    console.print(summary)


def _rows_in_words(n: int) -> str:
    return "1 row" if n == 1 else f"{n:,} rows"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
