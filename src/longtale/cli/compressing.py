"""Smaller variants of the language model: `compress`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console

from longtale.cli.command import Outcome
from longtale.cli.options import DEFAULT_CONFIG, Changes, Config
from longtale.cli.progress import showing_progress
from longtale.cli.render import safe, table_of
from longtale.cli.settings_file import settings_file
from longtale.cli.workshop import Cut, Out, Use, beside, next_command, ordered, put_into_settings


def compress(
    config: Config = DEFAULT_CONFIG,
    out: Out = None,
    protocol: Cut = "refit",
    use: Use = False,
    changes: Changes = None,
) -> Outcome:
    """Make smaller variants of the language model and measure each.

    Fewer layers, fewer heads of attention, weights of 8 bits: without training, in minutes. Shows
    size, speed, likeness and what is kept on items that were hidden; --use takes the fastest that
    keeps nearly everything.
    """
    from longtale.recommend.cost import Cost
    from longtale.recommend.workshop.variants import compressed

    project, order = ordered("compress", config, out, protocol, changes, use=use, aim="smaller")
    with showing_progress() as progress:
        cost = Cost(progress)
        with cost.stage("read data"):
            dataset = project.intake().dataset
        judged = compressed(order, project.settings.language.compress, dataset, cost)
    variants = [
        {
            **asdict(each.variant),
            "folder": str(order.out / each.variant.folder.name),
            "kept": each.verdict.kept,
            **each.verdict.as_dict(),
        }
        for each in judged
    ]
    good = [each for each in judged if each.verdict.is_worth_it]
    best = max(good, key=lambda each: each.variant.speed, default=None)
    model = None if best is None else beside(order.out / best.variant.folder.name, project.folder)
    written = use and model is not None and put_into_settings(config, model)
    values = {
        "variants": variants,
        "best": model,
        "protocol": protocol,
        "cost": cost.as_dict(),
        "written": str(settings_file(config)) if written else None,
        "use": None if model is None else next_command(config, model),
    }
    return Outcome(values, lambda console: _draw(console, values))


def _draw(console: Console, values: Mapping[str, Any]) -> None:
    rows = [
        [
            each["name"],
            f"{each['size_mb']:.0f}",
            f"{each['speed']:.1f}x",
            f"{each['cosine']:.4f}",
            f"{each['kept']:.1%}",
            each["note"],
        ]
        for each in values["variants"]
    ]
    head = ["variant", "MB>", "texts per s>", "cosine>", "new items kept>", ""]
    console.print(table_of(head, rows))
    if values["best"] is None:
        console.print("no variant keeps nearly everything on new items", style="yellow")
    elif values["written"]:
        console.print(f"{safe(values['best'])} is written to {safe(values['written'])}")
    else:
        console.print(f"use the fastest that does: {safe(values['use'])}", style="green")
