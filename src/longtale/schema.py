"""The words of the tables: column names, event kinds, text roles and popularity bands.

A column is named here once, so that it cannot be misspelled; users' tables are mapped to these
names by the settings of their source.
"""

from __future__ import annotations

from enum import StrEnum


class Column:
    """Names of the columns of Longtale's own tables."""

    USER_ID = "user_id"
    ITEM_ID = "item_id"
    KIND = "kind"
    VALUE = "value"
    TIME = "time"
    ORDER = "order"
    EVENT_ID = "event_id"
    SLATE_ID = "slate_id"
    RANK = "rank"
    PROPENSITY = "propensity"
    AVAILABLE_FROM = "available_from"
    AVAILABLE_UNTIL = "available_until"
    HIDDEN = "hidden"


class Role(StrEnum):
    """What an item's text field says, which decides its place in the prompt."""

    TITLE = "title"
    CREATOR = "creator"
    CATEGORY = "category"
    TAGS = "tags"
    DESCRIPTION = "description"


class Band(StrEnum):
    """How known an item was at the cut."""

    HEAD = "head"
    TORSO = "torso"
    TAIL = "tail"
    NEW = "new"


class Serves(StrEnum):
    """Whom a retriever can answer."""

    HISTORY = "anyone with history"
    ANYONE = "anyone"


LIST_SEPARATORS = ("|", ";", ",")
"""What may stand between the values of a list-like cell, in the order in which it is sought; the
first is what Longtale itself writes."""
