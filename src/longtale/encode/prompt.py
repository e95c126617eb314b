"""The words that an encoder reads of an item: one versioned prompt for every catalogue.

Title. Creators. Category path. Tags. First words of the description.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence

from pydantic import Field

from longtale.schema import LIST_SEPARATORS, Role
from longtale.settings import Settings

PROMPT_VERSION = 1
"""Grows when the same row and settings give another text; it stands in every manifest."""

_ORDER = (Role.TITLE, Role.CREATOR, Role.CATEGORY, Role.TAGS, Role.DESCRIPTION)
_LISTS = frozenset({Role.CREATOR, Role.CATEGORY, Role.TAGS})
_ENDS = ("?", "!", "…", "。", "？", "！")  # after these a full stop would be one too many
_PUNCTUATION = frozenset(string.punctuation)


class PromptSettings(Settings):
    """What of an item's row goes into its text."""

    max_description_words: int = Field(default=80, ge=0)
    """How many words of the description are read; 0 leaves it out."""
    max_list_values: int = Field(default=24, ge=1)
    """How many creators, categories or tags of one cell are read."""
    max_part_characters: int = Field(default=2000, ge=16)
    """Where any one part is cut, however few its words are."""


def item_texts(
    fields: Sequence[tuple[Role, Sequence[str | None]]], settings: PromptSettings | None = None
) -> list[str]:
    """Give the text of each item; an item without words gets an empty text.

    Fields of one role follow each other in the order given. Parts that are missing or hold nothing
    but punctuation are left out together with the stop behind them.

    Args:
        fields: the role of each text field and its N cells.
        settings: what of a row is read; the defaults if not given.

    Example:
        >>> item_texts([(Role.TITLE, ["Heat"]), (Role.CATEGORY, ["Action|Crime"])])
        ['Heat. Action, Crime']
    """
    settings = PromptSettings() if settings is None else settings
    ordered = sorted(fields, key=lambda field: _ORDER.index(field[0]))
    roles = [role for role, _ in ordered]
    cells = [values for _, values in ordered]
    return [
        _joined(_part(role, cell, settings) for role, cell in zip(roles, row, strict=True))
        for row in zip(*cells, strict=True)
    ]


def _part(role: Role, cell: str | None, settings: PromptSettings) -> str:
    if cell is None:
        return ""
    if role is Role.DESCRIPTION:
        words = cell.split(maxsplit=settings.max_description_words)
        text = " ".join(words[: settings.max_description_words])
    elif role in _LISTS:
        text = ", ".join(_values(cell)[: settings.max_list_values])
    else:
        text = " ".join(cell[: 4 * settings.max_part_characters].split())
    text = text[: settings.max_part_characters].strip(" .,;|")
    return "" if _PUNCTUATION.issuperset(text) else text


def _values(cell: str) -> list[str]:
    separator = next((sign for sign in LIST_SEPARATORS if sign in cell), None)
    values = (
        (" ".join(value.split()) for value in cell.split(separator))
        if separator
        else [" ".join(cell.split())]
    )
    return list(dict.fromkeys(value for value in values if value))


def _joined(parts: Iterable[str]) -> str:
    text = ""
    for part in parts:
        if part and text:
            text += " " if text.endswith(_ENDS) else ". "
        text += part
    return text
