"""`settings`: every setting with its type, default and help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from longtale.cli.command import Outcome
from longtale.cli.render import table_of
from longtale.errors import SettingsError, did_you_mean


def settings(
    section: Annotated[
        str, typer.Argument(help="Only this section, such as models.ease.", show_default=False)
    ] = "",
) -> Outcome:
    """List every setting with its default and help.

    Set them in longtale.toml, with --set KEY=VALUE, or in the environment, such as
    LONGTALE_MODELS__EASE__L2=100.
    """
    from longtale.cli.reference import described
    from longtale.recommend.settings import LongtaleSettings

    every = list(described(LongtaleSettings))
    chosen = [each for each in every if _lies_in(each.key, section)]
    if not chosen:
        sections = sorted({each.key.rpartition(".")[0] for each in every} - {""})
        hint = did_you_mean(section, [*sections, *(each.key for each in every)])
        raise SettingsError(
            f"no section or setting '{section}'; sections are {', '.join(sections)}{hint}"
        )
    return Outcome(
        {"settings": [asdict(each) for each in chosen]},
        lambda console: console.print(
            table_of(
                ["setting", "default", "what it does"],
                [[s.key, s.default, f"{s.help} ({s.type})"] for s in chosen],
            )
        ),
    )


def complete_setting(incomplete: str) -> Iterator[tuple[str, str]]:
    """Give the settings whose name begins so, each with its help, for the shell."""
    from longtale.cli.reference import described
    from longtale.recommend.settings import LongtaleSettings

    for each in described(LongtaleSettings):
        if each.key.startswith(incomplete) and "[]" not in each.key:
            yield f"{each.key}=", each.help


def _lies_in(key: str, section: str) -> bool:
    return not section or key == section or key.startswith((f"{section}.", f"{section}[]"))
