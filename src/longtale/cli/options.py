"""The arguments that several commands share, and the project they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from longtale.cli.settings import complete_setting
from longtale.errors import SettingsError

if TYPE_CHECKING:
    from longtale.recommend.pipeline import Recommender
    from longtale.recommend.project import Project

DEFAULT_CONFIG = Path("longtale.toml")

QualityName = Literal["fast", "balanced", "best"]
ProtocolChoice = Literal["refit", "strict", "time", "cold-items", "cold-users"]

Config = Annotated[Path, typer.Argument(help="Settings file, or the folder it lies in.")]
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="Settings file, or the folder it lies in.")
]
BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", "-b", help="Folder of the bundle, in place of the settings' own."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, such as models.ease.l2=100; see `longtale settings`.",
        autocompletion=complete_setting,
    ),
]
QualityOption = Annotated[
    QualityName,
    typer.Option("--quality", "-q", help="How much time to spend for how much quality."),
]
Length = Annotated[int, typer.Option("-n", "--length", help="Length of the slate.")]
FilterOption = Annotated[
    str,
    typer.Option(
        "--filter",
        "-f",
        help="Condition on item attributes, such as \"year >= 1990 and genres has 'Drama'\".",
    ),
]


def open_project(config: Path, changes: list[str] | None = None) -> Project:
    """Read a project with changed settings.

    Raises:
        SettingsError: there is no settings file, or it or a change is not allowed.
    """
    from longtale.recommend.project import Project

    return Project.open(config, changes=dict(map(_key_and_value, changes or ())))


def open_bundle(config: Path, bundle: Path | None) -> Recommender:
    """Load the bundle of a project, or the one in a folder.

    Raises:
        SettingsError: there is no settings file that would name it.
        BundleError: it is no bundle, or not whole.
    """
    from longtale.recommend.bundle import load

    return load(open_project(config).bundle if bundle is None else bundle)


def _key_and_value(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise SettingsError(
            f"'--set {change}' changes nothing; write it as --set KEY=VALUE, "
            "such as --set models.ease.l2=100"
        )
    return key.strip(), value
