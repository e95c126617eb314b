"""The section `[data]` of a settings file as commented TOML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from longtale.data.intake.mapping import DataSettings
from longtale.settings import Settings

SECTIONS = ("kinds", "events", "items", "users", "tags", "impressions")


@dataclass(frozen=True)
class Finding:
    """Something that whoever owns the data should look at.

    Args:
        section: part of the settings it is about: data, events, kinds.<name>, items, users, tags.
        note: one sentence.
    """

    section: str
    note: str


def render_toml(settings: DataSettings, findings: Sequence[Finding] = ()) -> str:
    """Write the settings so that they can be read back, with help and findings as comments.

    What is not set stands there too, as a comment, so that nobody has to look up its name.
    """
    lines = ["[data]", *_notes("data", findings), *_keys(settings, SECTIONS)]
    for kind in settings.kinds:
        notes = _notes(f"kinds.{kind.name}", findings)
        lines += ["", "[[data.kinds]]", *notes, *_keys(kind)]
    for name in SECTIONS[1:]:
        part = getattr(settings, name)
        if part is not None:
            about = " ".join((part.__doc__ or "").split())
            lines += ["", f"[data.{name}]  # {about}", *_notes(name, findings), *_keys(part)]
    return "\n".join(lines) + "\n"


def _notes(section: str, findings: Sequence[Finding]) -> list[str]:
    return [f"# look: {' '.join(f.note.split())}" for f in findings if f.section == section]


def _keys(part: Settings, but: Sequence[str] = ()) -> Iterator[str]:
    for name, info in type(part).model_fields.items():
        if name in but:
            continue
        value = getattr(part, name)
        help_text = " ".join((info.description or "").split())
        is_set = value != info.get_default()
        is_number = value is None and float in get_args(info.annotation)
        shown = "0.0" if is_number else _value(value)
        yield f"{'' if is_set else '# '}{name} = {shown}  # {help_text}"


def _value(value: object) -> str:
    if value is None or value == ():
        return '""'
    if isinstance(value, tuple) and len(value) == 1:
        return _value(value[0])
    # JSON's strings, numbers, booleans and lists are TOML's, but for one character.
    plain = list(value) if isinstance(value, tuple) else value
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
