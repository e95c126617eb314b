"""The report of a run as pages: Markdown for the documentation, HTML to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from longtale.reliability.guarantee import State

Told = Mapping[str, Any]
"""A report as plain values."""
_MADE = "<!-- Made by scripts/reliability.py out of docs/reliability/*.json. -->"
_ABOUT = """\
What the service promises, tried against the service itself. Each trial has a mutant: the same
service with one part broken on purpose, which the trial must catch.

```console
$ longtale reliability run --quick --out report
```

`--quick` tries little of each in a few minutes, without it everything is tried as the targets say.
Speed is measured beside an endpoint of Starlette that does nothing, in turn. A quick run reports
what misses a target of speed by less than a factor of 3 as `slow here`, for a machine may have
other work; it is no failure. What is `broken`, and a mutant that is not caught, ends a run with
exit code 1."""
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-top: 1px solid #8884 }
.kept { color: #1a7f37 } .slow { color: #9a6700 } .broken { color: #cf222e } .not { color: #777 }
@media (prefers-color-scheme: dark) {
  .kept { color: #3fb950 } .slow { color: #d29922 } .broken { color: #f85149 } .not { color: #999 }
}
dl { display: grid; grid-template-columns: max-content auto; gap: 0 .75rem; margin: 0 }
dd { margin: 0; font-variant-numeric: tabular-nums } dt { color: #777 }
"""


def markdown(reports: Sequence[Told]) -> str:
    """Write a page about several runs, such as a quick and a full one."""
    lines = ["# Reliability", "", _MADE, "", _ABOUT]
    for report in reports:
        lines += ["", f"## {report['scale'].capitalize()} run", "", _summary(report), ""]
        lines += _table(report["guarantees"])
        wrong = [found for found in report["guarantees"] if found["detail"]]
        if wrong:
            lines += ["", *(f"- **{found['name']}**: {found['detail']}" for found in wrong)]
    return "\n".join(lines) + "\n"


def html(report: Told) -> str:
    """Write a page about one run that needs no other file."""
    rows = "\n".join(_row(found) for found in report["guarantees"])
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Longtale: reliability, {escape(report["scale"])} run</title>
<style>{_STYLE}</style>
<h1>Reliability, {escape(report["scale"])} run</h1>
<p>{escape(_summary(report))}</p>
<table>
<thead><tr><th>promise<th>state<th>measured<th>mutant</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""


def _summary(report: Told) -> str:
    guarantees = report["guarantees"]
    counts = {state: sum(found["state"] == state for found in guarantees) for state in State}
    told = ", ".join(f"{n} {state.value}" for state, n in counts.items() if n)
    n_tried = len(guarantees) - counts[State.NOT_TRIED]
    n_caught = sum(found["is_mutant_caught"] is True for found in guarantees)
    return (
        f"Longtale {report['longtale']}, {report['machine']}, {report['began_at'][:10]}, "
        f"{report['seconds']:.0f} s: {told}; {n_caught} of {n_tried} mutants caught."
    )


def _table(guarantees: Iterable[Told]) -> list[str]:
    lines = ["| promise | target | measured | state | mutant |", "|---|---|---|---|---|"]
    for found in guarantees:
        measured = "; ".join(f"{name} {value}" for name, value in figures(found["measured"]))
        cells = [
            f"`{found['name']}`: {found['promise']}",
            found["target"],
            measured or "–",
            found["state"],
            f"{found['mutant']}: {_caught(found['is_mutant_caught'])}",
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def figures(measured: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give figures as people read them.

    Example:
        >>> figures({"p99_ms": 12.5, "lost": 0, "missed_kinds": []})
        [('p99 ms', '12.5'), ('lost', '0'), ('missed kinds', 'none')]
    """
    return [(name.replace("_", " "), _shown(value)) for name, value in measured.items()]


def _shown(value: Any) -> str:
    match value:
        case None:
            return "never"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,g}" if abs(value) < 10_000 else f"{value:,.0f}"
        case list():
            return ", ".join(map(str, value)) or "none"
    return str(value)


def _caught(is_caught: bool | None) -> str:
    return "not tried" if is_caught is None else "caught" if is_caught else "NOT CAUGHT"


def _row(found: Told) -> str:
    measured = "".join(
        f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in figures(found["measured"])
    )
    detail = f"<p>{escape(found['detail'])}" if found["detail"] else ""
    state = found["state"]
    return (
        f"<tr id={escape(found['name'])}><td><b>{escape(found['promise'])}</b>"
        f"<br>{escape(found['target'])}"
        f'<td class="{escape(state.split()[0])}">{escape(state)}'
        f"<td><dl>{measured}</dl>{detail}"
        f"<td>{escape(found['mutant'])}: {_caught(found['is_mutant_caught'])}</tr>"
    )
