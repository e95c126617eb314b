"""Changing a settings file by command: comments and order stay, and the file before is kept."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longtale.cli.options import DEFAULT_CONFIG
from longtale.errors import MissingExtraError, SettingsError


def settings_file(config: Path) -> Path:
    """Give the settings file that a command was given, itself or by its folder."""
    return config / DEFAULT_CONFIG if config.is_dir() else config


def backup_of(file: Path) -> Path:
    """Give where a settings file is kept before it is changed."""
    return file.with_name(f"{file.name}.bak")


def require_tomlkit(purpose: str) -> None:
    """See that settings files can be changed.

    Raises:
        MissingExtraError: they cannot.
    """
    try:
        import tomlkit  # noqa: F401
    except ImportError:
        raise MissingExtraError("tomlkit", extra="tune", purpose=purpose) from None


def write_settings(file: Path, changed: Mapping[str, object], *, by_hand: str) -> bool:
    """Put values into a settings file; say whether there was anything to write.

    Args:
        file: the settings file; what it was before is kept beside it.
        changed: values by dotted key; None takes a key out.
        by_hand: what to do where the file cannot be changed, as the end of the error.

    Raises:
        SettingsError: the file would not say what it should.
    """
    if not changed:
        return False
    before = file.read_bytes().decode()
    text = merged_toml(before, changed)
    if not _says(text, before, changed):
        raise SettingsError(
            f"what was found cannot be put into '{file}', which writes sections as dotted keys; "
            f"{by_hand}"
        )
    shutil.copyfile(file, backup_of(file))
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.write_bytes(text.encode())
    unfinished.replace(file)
    return True


def merged_toml(text: str, changed: Mapping[str, object]) -> str:
    """Put values at dotted keys into a settings file; comments and order stay.

    Args:
        text: the file.
        changed: values by dotted key; a key whose value is None is taken out.
    """
    import tomlkit

    document = tomlkit.parse(text)
    for key, value in changed.items():
        *parts, last = key.split(".")
        section: Any = document
        for part in parts:
            if part not in section:
                section[part] = tomlkit.table(is_super_table=part == "models")
            section = section[part]
        if value is not None:
            section[last] = value
        elif last in section:
            del section[last]
    return document.as_string()


def _says(text: str, before: str, changed: Mapping[str, object]) -> bool:
    """Whether a settings file says the same as before but for what was changed."""
    from longtale.recommend.refine import with_values
    from longtale.recommend.settings import LongtaleSettings

    expected = with_values(LongtaleSettings.parse(tomllib.loads(before)), changed)
    try:
        return LongtaleSettings.parse(tomllib.loads(text)) == expected
    except SettingsError:
        return False
