"""Making the language model better for a catalogue: the commands that train."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from longtale.cli.command import Outcome
from longtale.cli.options import DEFAULT_CONFIG, Changes, Config, ProtocolChoice, open_project
from longtale.cli.progress import showing_progress
from longtale.cli.render import safe, table_of
from longtale.cli.settings_file import require_tomlkit, settings_file, write_settings

if TYPE_CHECKING:
    from longtale.recommend.project import Project
    from longtale.recommend.workshop.job import Order
    from longtale.recommend.workshop.verdict import Aim

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder of the new model, in place of the settings' own."),
]
Cut = Annotated[
    ProtocolChoice,
    typer.Option(
        "--protocol", "-p", help="The test whose answers the model shall not have learned."
    ),
]
Use = Annotated[
    bool,
    typer.Option("--use", help="Where it was worth it, put the new model into the settings file."),
]


def pretrain(
    config: Config = DEFAULT_CONFIG,
    out: Out = None,
    protocol: Cut = "refit",
    use: Use = False,
    changes: Changes = None,
) -> Outcome:
    """Let the language model read the catalogue.

    It learns without labels: words that were hidden, which texts belong together, a text from what
    is left of it. Says before and after on items that were hidden, and whether it was worth it. The
    same command goes on where it was stopped.
    """
    return _worked("pretrain", config, out, protocol, use, changes)


def finetune(
    config: Config = DEFAULT_CONFIG,
    out: Out = None,
    protocol: Cut = "refit",
    use: Use = False,
    changes: Changes = None,
) -> Outcome:
    """Teach the language model which items go together.

    Items that the same people chose are brought near to each other, so that an item nobody has met
    is found by its words. Says before and after on items that were hidden, and whether it was worth
    it. The same command goes on where it was stopped.
    """
    return _worked("finetune", config, out, protocol, use, changes)


def distil(
    config: Config = DEFAULT_CONFIG,
    out: Out = None,
    protocol: Cut = "refit",
    use: Use = False,
    changes: Changes = None,
) -> Outcome:
    """Teach a smaller language model what yours says.

    A few of its layers, a new small model, or a vector for each word. Says what is kept on items
    that were hidden, and whether it was worth it. The same command goes on where it was stopped.
    """
    return _worked("distil", config, out, protocol, use, changes, aim="smaller")


def ordered(
    job: str,
    config: Path,
    out: Path | None,
    protocol: str,
    changes: list[str] | None,
    *,
    use: bool,
    aim: Aim,
) -> tuple[Project, Order]:
    """Give the project, and what is asked of the workshop.

    Raises:
        MissingExtraError: the job cannot be done here, or not be put into the settings.
        SettingsError: there is no settings file, it or a change is not allowed, or a tracker is
            not installed.
    """
    from longtale.data.splits.split import ProtocolName
    from longtale.recommend.workshop.job import Order
    from longtale.recommend.workshop.works import require_packages

    if use:
        require_tomlkit("--use")
    project = open_project(config, changes)
    language = project.settings.language
    folder = project.folder / language.out / job if out is None else out
    own = getattr(language, job)
    require_packages(own)
    return project, Order(job, project.settings, own, folder, ProtocolName(protocol), aim)


def _worked(
    job: str,
    config: Path,
    out: Path | None,
    protocol: str,
    use: bool,
    changes: list[str] | None,
    aim: Aim = "better",
) -> Outcome:
    from longtale.recommend.cost import Cost
    from longtale.recommend.workshop.job import finished, help_with, is_helper
    from longtale.recommend.workshop.works import work_of

    project, order = ordered(job, config, out, protocol, changes, use=use, aim=aim)
    if is_helper():
        help_with(order, project.intake().dataset, work_of(order.own))
        raise typer.Exit  # the first process tells
    with showing_progress() as progress:
        cost = Cost(progress)
        with cost.stage("read data"):
            dataset = project.intake().dataset
        made = finished(order, dataset, work_of(order.own), cost)
    model = beside(made.folder, project.folder)
    written = use and made.verdict.is_worth_it and put_into_settings(config, model)
    values = {
        "job": job,
        "model": str(made.folder),
        "protocol": protocol,
        **made.verdict.as_dict(),
        "told": made.facts,
        "cost": made.cost,
        "written": str(settings_file(config)) if written else None,
        "use": next_command(config, model),
    }
    return Outcome(values, lambda console: _draw(console, values))


def beside(model: Path, folder: Path) -> str:
    """Give how a settings file names a model: from where it lies itself, if it can."""
    whole = model.resolve()
    home = folder.resolve()
    return str(whole.relative_to(home)) if whole.is_relative_to(home) else str(whole)


def put_into_settings(config: Path, model: str) -> bool:
    """Make a model the encoder of a project."""
    by_hand = f"set encode.model = '{model}' by hand"
    return write_settings(settings_file(config), {"encode.model": model}, by_hand=by_hand)


def next_command(config: Path, model: str) -> str:
    """Give the command that trains with a model."""
    where = [] if config == DEFAULT_CONFIG else [str(config)]
    return shlex.join(["longtale", "train", *where, "--set", f"encode.model={model}"])


def _draw(console: Console, values: Mapping[str, Any]) -> None:
    rows = [
        [
            change["slice"],
            str(change["n"]),
            f"{change['before']:.4f}",
            f"{change['after']:.4f}",
            f"{change['difference']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f})",
        ]
        for change in values["changes"]
    ]
    head = ["nDCG@10 by meaning", "requests>", "before>", "after>", "difference>"]
    console.print(table_of(head, rows))
    console.print(values["verdict"], style="green" if values["worth_it"] else "yellow")
    spent = sum(s for name, s in values["cost"].items() if name.endswith("_cpu_s"))
    console.print(f"cost: {spent:.0f} processor seconds", style="dim")
    console.print(f"model: {safe(values['model'])}")
    if values["written"]:
        console.print(f"written to {safe(values['written'])}; train with it: longtale train")
    else:
        console.print(f"use it: {safe(values['use'])}")
