"""Searching the settings of the retrievers: `tune`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from longtale.cli.command import Outcome
from longtale.cli.options import DEFAULT_CONFIG, Changes, Config, open_project
from longtale.cli.progress import showing_progress
from longtale.cli.render import safe, table_of
from longtale.cli.settings_file import (
    backup_of,
    require_tomlkit,
    settings_file,
    write_settings,
)

if TYPE_CHECKING:
    from longtale.recommend.tune import Tuned

STUDY = "tuning.journal"
"""File beside the settings in which trials are kept."""
FOUND = "tuned.toml"
"""File beside the settings with what was found last."""
_HEAD = "What `longtale tune` found on validation; only what differs from the present settings."


def tune(
    config: Config = DEFAULT_CONFIG,
    minutes: Annotated[
        float,
        typer.Option("--minutes", "-m", help="For how long; 0 takes what was found before."),
    ] = 30.0,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Search this retriever; again for more.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put what is found into the settings file, too.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Forget earlier trials and begin anew.")
    ] = False,
    changes: Changes = None,
) -> Outcome:
    """Search better settings for each retriever.

    Each retriever alone is judged on validation, never on the test of `evaluate`; the present
    settings are always tried first. Ctrl-C keeps what was found, and the same command goes on where
    it was. What is found goes into tuned.toml, and with --write into longtale.toml. The sequence
    models are searched only where --only names them.
    """
    from longtale.recommend import tune as searching

    require_tomlkit("tuning")
    project, file = open_project(config, changes), settings_file(config)
    with showing_progress() as progress:
        with progress.stage("read data", total=None):
            dataset = project.intake().dataset
        tuned = searching.tune(
            dataset,
            project.settings,
            minutes=minutes,
            study=project.folder / STUDY,
            only=only or (),
            again=again,
            progress=progress,
            seed=project.settings.split.seed,
        )
    if tuned.is_stopped and not tuned.findings:
        raise KeyboardInterrupt
    found = project.folder / FOUND
    if tuned.findings:
        found.write_bytes(found_toml(tuned).encode())
    written = write and write_settings(
        file, _changed(tuned), by_hand=f"copy it by hand from '{file.with_name(FOUND)}'"
    )
    values = {
        "found": [asdict(finding) for finding in tuned.findings],
        "not_reached": list(tuned.not_reached),
        "stopped": tuned.is_stopped,
        "file": str(found) if tuned.findings else None,
        "written": str(file) if written else None,
        "backup": str(backup_of(file)) if written else None,
        "next": _next(config, only or (), changes or (), tuned, write=write),
    }
    return Outcome(values, lambda console: _draw(console, values))


def found_toml(tuned: Tuned) -> str:
    """Give what was found as sections of a settings file; none has no value in TOML."""
    import tomlkit

    sections: dict[str, list[str]] = {}
    for finding in tuned.findings:
        for key, value in finding.changed.items():
            section, _, last = f"models.{finding.name}.{key}".rpartition(".")
            shown = None if value is None else tomlkit.item(value).as_string()
            line = f"# {last} = none" if shown is None else f"{last} = {shown}"
            sections.setdefault(section, [f"[{section}]"]).append(line)
    return "\n\n".join([f"# {_HEAD}", *map("\n".join, sections.values())]) + "\n"


def _changed(tuned: Tuned) -> dict[str, object]:
    return {
        f"models.{finding.name}.{key}": value
        for finding in tuned.findings
        for key, value in finding.changed.items()
    }


def _next(
    config: Path, only: Sequence[str], changes: Sequence[str], tuned: Tuned, *, write: bool
) -> str:
    """Give the command that uses what was found."""
    where = [] if config == DEFAULT_CONFIG else [str(config)]
    options = [part for change in changes for part in ("--set", change)]
    if write or not any(finding.changed for finding in tuned.findings):
        return shlex.join(["longtale", "train", *where, *options])
    options += [part for name in only for part in ("--only", name)]
    return shlex.join(["longtale", "tune", *where, *options, "--minutes", "0", "--write"])


def _draw(console: Console, values: Mapping[str, Any]) -> None:
    if values["found"]:
        columns = ["retriever", "validation", "nDCG@10 before>", "after>", "trials>", "found"]
        console.print(table_of(columns, map(_row, values["found"])))
    if values["not_reached"]:
        names = ", ".join(values["not_reached"])
        console.print(f"no time was left for {names}; give more --minutes", style="yellow")
    if values["stopped"]:
        console.print("stopped by hand; the same command goes on where it was", style="yellow")
    if values["file"]:
        console.print(f"what was found: {safe(values['file'])}")
    if values["written"]:
        console.print(f"written to {safe(values['written'])}, before: {safe(values['backup'])}")
        console.print(f"train with them: {safe(values['next'])}")
    elif any(finding["changed"] for finding in values["found"]):
        console.print(f"use them: {safe(values['next'])}")
    else:
        console.print("nothing better than the present settings was found")


def _row(finding: Mapping[str, Any]) -> list[str]:
    changed = finding["changed"].items()
    shown = ", ".join(f"{key} = {'none' if value is None else value}" for key, value in changed)
    return [
        finding["name"],
        finding["judged_by"],
        f"{finding['before']:.4f}",
        f"{finding['after']:.4f}",
        str(finding["n_trials"]),
        shown if shown else "–",
    ]
