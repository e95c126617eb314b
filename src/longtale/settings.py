"""The base of all settings: frozen, no unknown keys, the docstring is the help.

One declaration gives validation, TOML, environment variables, `--help`, the settings page and the
manifest. A part never reads a dict: it is handed its whole settings object.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from longtale.errors import SettingsError, did_you_mean

ENVIRONMENT_PREFIX = "LONGTALE_"
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^/\s]*(?=@)")
"""What stands between the user and the host in the URL of a database."""


class Settings(BaseModel):
    """Frozen settings whose unknown keys are refused and whose field docstrings are the help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    @classmethod
    def parse(cls, values: Mapping[str, object], *, where: str = "settings") -> Self:
        """Build from plain values.

        Raises:
            SettingsError: a key is unknown or a value is not allowed; names key, value and remedy.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise SettingsError(_explain(cls, error, where)) from None

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        environment: Mapping[str, str] | None = None,
        changes: Mapping[str, str] | None = None,
    ) -> Self:
        """Build from a TOML file, overridden by `LONGTALE_SECTION__KEY=value` variables.

        Values in the environment and in changes are read as JSON where they are JSON, else as text.

        Args:
            path: the TOML file.
            environment: the variables; None is the environment of this process.
            changes: values by dotted key, such as `models.ease.l2`; they go before the environment.

        Raises:
            SettingsError: no such file, no TOML, or as in `parse`.
        """
        values = read_toml(path)
        environment = os.environ if environment is None else environment
        for name, text in environment.items():
            if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
                keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
                _put(values, keys, _parsed(text), name)
        for key, text in ({} if changes is None else changes).items():
            _put(values, key.split("."), _parsed(text), f"'{key}'")
        return cls.parse(values, where=str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as plain values.

    Raises:
        SettingsError: no such file, not UTF-8, or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"no settings file at '{path}'; make one with: longtale init {path.parent}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"'{path}' is not valid TOML: {error}") from None


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _put(values: dict[str, Any], keys: Sequence[str], value: object, name: str) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{name} reaches into '{key}', which is not a section")
    values[keys[-1]] = value


def _explain(cls: type[BaseModel], error: ValidationError, where: str) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            allowed = _fields_at(cls, problem["loc"][:-1])
            hint = did_you_mean(str(problem["loc"][-1]), allowed)
            lines.append(f"unknown key '{key}'; allowed are {', '.join(allowed)}{hint}")
        else:
            seen = _PASSWORD.sub(r"\1***", repr(problem["input"]))
            seen = seen if len(seen) <= 80 else seen[:77] + "..."
            lines.append(f"'{key}' is {seen}: {problem['msg']}")
    return f"{where}: " + "; ".join(lines)


def _fields_at(cls: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    current: Any = cls
    for part in path:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        current = _model_within(field.annotation) if field is not None else None
    return sorted(getattr(current, "model_fields", {}))


def _model_within(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_within(inner)
        if found is not None:
            return found
    return None
