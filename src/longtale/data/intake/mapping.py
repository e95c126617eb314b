"""Where the user's tables are and which of their columns mean what: the section `[data]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from longtale.data.event import DEFAULT_KINDS, EventKind
from longtale.errors import did_you_mean
from longtale.schema import Role
from longtale.settings import Settings

TimeUnit = Literal["auto", "s", "ms", "us"]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One column name, or a list of them."""


class TableSource(Settings):
    """Where one table is read from."""

    source: str = Field(min_length=1)
    """A file or glob such as `log/*.parquet` (CSV, TSV, Parquet, NDJSON, .gz), or a SQL URL."""
    table: str | None = None
    """Table or view to read, where the source is a SQL URL."""
    query: str | None = None
    """SELECT statement to read instead of a table, where the source is a SQL URL."""

    @model_validator(mode="after")
    def _table_or_query(self) -> TableSource:
        is_sql = "://" in self.source
        if is_sql and (self.table is None) == (self.query is None):
            raise ValueError("a SQL source needs either 'table' or 'query'")
        if not is_sql and not (self.table is None and self.query is None):
            raise ValueError("'table' and 'query' go with a SQL URL; a file has neither")
        return self


class EventSource(TableSource):
    """The log of what people did, one row per event."""

    user: str
    """Column with the user's id."""
    item: str
    """Column with the item's id."""
    time: str | None = None
    """Column with the time: ISO text, a date, or a number since 1970; without zone it is UTC."""
    time_unit: TimeUnit = "auto"
    """Unit of times that are numbers; `auto` tells it by their size."""
    order: str | None = None
    """Column with a number that orders the events of one user; it also breaks equal times."""
    kind: str | None = None
    """Column with the kind of event."""
    value: str | None = None
    """Column with a rating, a price or seconds."""
    event_id: str | None = None
    """Column with an id of the event; an id that was seen before is a duplicate."""
    slate: str | None = None
    """Column with the id of the slate in which the item was shown."""
    rank: str | None = None
    """Column with the place of the item in its slate, 1 is the first."""
    propensity: str | None = None
    """Column with the probability that this item was shown at this rank."""
    default_kind: str = "rate"
    """Kind of an event whose kind is blank, or of all events where there is no such column."""


class ItemSource(TableSource):
    """The catalogue, one row per item; columns that are not named here become attributes."""

    id: str
    """Column with the item's id."""
    title: Names = ()
    """Columns with the item's name."""
    creator: Names = ()
    """Columns that say who made it: author, director, brand."""
    category: Names = ()
    """Columns with genres or categories; several in one cell are separated by `|`, `;` or `,`."""
    tags: Names = ()
    """Columns with keywords."""
    description: Names = ()
    """Columns with longer text."""
    available_from: str | None = None
    """Column with the time from which the item can be shown."""
    available_until: str | None = None
    """Column with the time from which it no longer can."""
    time_unit: TimeUnit = "auto"
    """Unit of times that are numbers; `auto` tells it by their size."""
    hidden: str | None = None
    """Column that is true where the item must not be shown."""

    def columns_of(self, role: Role) -> tuple[str, ...]:
        """Give the columns that hold text of one role."""
        columns: dict[Role, tuple[str, ...]] = {
            Role.TITLE: self.title,
            Role.CREATOR: self.creator,
            Role.CATEGORY: self.category,
            Role.TAGS: self.tags,
            Role.DESCRIPTION: self.description,
        }
        return columns[role]


class UserSource(TableSource):
    """The users, one row each; columns that are not named here become attributes."""

    id: str
    """Column with the user's id."""
    text: Names = ()
    """Columns in which users say in their own words what they like."""


class TagSource(TableSource):
    """Words that users gave to items, one row per word."""

    item: str
    """Column with the item's id."""
    tag: str
    """Column with the word."""
    time: str | None = None
    """Column with the time at which it was given."""
    time_unit: TimeUnit = "auto"
    """Unit of times that are numbers; `auto` tells it by their size."""


class ImpressionSource(TableSource):
    """What was shown, one row per item of a slate."""

    slate: str
    """Column with the id of the slate."""
    user: str
    """Column with the user's id."""
    item: str
    """Column with the item's id."""
    rank: str | None = None
    """Column with the place of the item in its slate, 1 is the first."""
    propensity: str | None = None
    """Column with the probability that this item was shown at this rank."""
    time: str | None = None
    """Column with the time at which it was shown."""
    time_unit: TimeUnit = "auto"
    """Unit of times that are numbers; `auto` tells it by their size."""


class DataSettings(Settings):
    """Which tables there are, what their columns mean, and how many bad rows are tolerated."""

    quarantine: str = "quarantine"
    """Folder for rows that cannot be read, beside the settings file unless absolute."""
    max_bad_share: float = Field(default=0.01, ge=0, le=1)
    """Share of a table's rows that may go to quarantine before reading stops with an error."""
    events: EventSource | None = None
    """The log of events."""
    kinds: tuple[EventKind, ...] = ()
    """Kinds of events of your own, or other weights for the known ones."""
    items: ItemSource | None = None
    """The catalogue; without it the items are those of the events, and have no words."""
    users: UserSource | None = None
    """The users; without it they are those of the events."""
    tags: TagSource | None = None
    """Words of users about items."""
    impressions: ImpressionSource | None = None
    """What was shown."""

    @model_validator(mode="after")
    def _default_kind_is_known(self) -> DataSettings:
        kinds = self.all_kinds()
        default = None if self.events is None else self.events.default_kind
        if default is not None and default not in kinds:
            hint = did_you_mean(default, kinds)
            raise ValueError(
                f"unknown default_kind '{default}'; expected one of {', '.join(kinds)}{hint}"
            )
        return self

    def all_kinds(self) -> Mapping[str, EventKind]:
        """Give the known kinds and the user's own, which come first in case of doubt, by name."""
        return {kind.name: kind for kind in (*DEFAULT_KINDS, *self.kinds)}
