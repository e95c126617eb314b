"""From the user's tables to a dataset, with an account of every row.

What becomes of odd cells, in every table:

- ids are kept to the letter, without surrounding white space; whole floats lose `.0`; a row whose
  id is blank, NaN or infinite is set aside.
- times are ISO text, dates, or numbers since 1970 in seconds to microseconds; without zone they
  are UTC. One that cannot be read, lies before 1970 or more than a day ahead sets its row aside;
  the availability of items may lie anywhere, or be blank.
- numbers may be blank or NaN, which is none; text and infinity in their place set the row aside.
- an unknown kind of event sets its row aside; a blank one is the default kind.
- an event id that was seen before is a duplicate; without such ids repeated events are repeated
  consumption and stay.
- identical rows of the catalogue merge; where rows contradict each other the first one counts.
- a line of text with too many cells, or that is no JSON object, is set aside; missing cells at the
  end are blank.
- objects inside a cell become their JSON text.
- items and users that only events know are added, without words; tags of unknown items are set
  aside.
- texts of any length are kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.intake.catalog_table import EntityTable, read_items, read_users, text_fields
from longtale.data.intake.event_table import (
    EventTable,
    interactions_of,
    read_events,
)
from longtale.data.intake.id_space import IdSpace
from longtale.data.intake.mapping import DataSettings, TableSource
from longtale.data.intake.quarantine import Quarantine, TableReport
from longtale.data.intake.side_tables import (
    impressions_of,
    read_impressions,
    read_tags,
    shown_with_events,
)
from longtale.data.intake.sql import read_sql
from longtale.data.intake.table import Table
from longtale.data.intake.tabular import scan_files
from longtale.data.interactions import Interactions
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.errors import SettingsError
from longtale.schema import Column


@dataclass(frozen=True)
class IntakeReport:
    """What was read, what was set aside and why, and what looks odd."""

    tables: tuple[TableReport, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Give plain values for JSON."""
        return {
            "tables": [table.as_dict() for table in self.tables],
            "warnings": [*self.warnings],
        }


@dataclass(frozen=True, eq=False)
class Intake:
    """A dataset and the account of how it was read."""

    dataset: Dataset
    report: IntakeReport


def read_dataset(settings: DataSettings, folder: Path, *, now: int | None = None) -> Intake:
    """Read all tables, check every row, and index what is good.

    Items come in the order of the catalogue, then those that only events know, as they appear;
    users likewise. Rows that cannot be read go to `quarantine/<table>.ndjson` and are counted.

    Args:
        settings: which tables there are and what their columns mean.
        folder: what paths in the settings are relative to.
        now: microseconds UTC, later events go to quarantine; None is the clock of this machine.

    Raises:
        SettingsError: neither events nor items are named.
        SourceError: a file, table or address cannot be read.
        ColumnError: a column is missing or of the wrong type.
        TooManyBadRowsError: more bad rows than `max_bad_share`.
    """
    if settings.events is None and settings.items is None:
        raise SettingsError(
            "nothing to read: the settings name neither [data.events] nor [data.items]; "
            f"write them with: longtale init {folder}"
        )
    tables = _read_tables(settings, folder, time.time_ns() // 1_000 if now is None else now)
    dataset = _dataset(tables, settings)
    return Intake(dataset, IntakeReport(tables.reports, _warnings(tables, dataset)))


def open_table(name: str, source: TableSource, folder: Path) -> Table:
    """Find one table, in files or in a SQL database; raises as `read_dataset` does."""
    if "://" in source.source:
        return read_sql(name, source.source, table=source.table, query=source.query, folder=folder)
    return scan_files(name, source.source, folder)


@dataclass(frozen=True, eq=False)
class _Tables:
    """Every table, read and checked; ids are still ids."""

    spaces: tuple[IdSpace, IdSpace]
    users: EntityTable | None
    items: EntityTable | None
    events: EventTable | None
    shown: pl.DataFrame
    user_ids: pl.Series
    item_ids: pl.Series
    tags: Tags
    reports: tuple[TableReport, ...]


def _read_tables(settings: DataSettings, folder: Path, now: int) -> _Tables:
    quarantine = Quarantine(Path(folder, settings.quarantine), settings.max_bad_share)
    spaces = (IdSpace.new(), IdSpace.new())
    events = items = users = None
    shown, tags = pl.DataFrame(), Tags.none()
    reports: list[TableReport] = []
    if (log := settings.events) is not None:
        table = open_table("events", log, folder)
        events = read_events(table, log, settings.all_kinds(), spaces, quarantine, now=now)
        shown = shown_with_events(events.frame)
    if settings.items is not None:
        items = read_items(open_table("items", settings.items, folder), settings.items, quarantine)
    if settings.users is not None:
        users = read_users(open_table("users", settings.users, folder), settings.users, quarantine)
    if (source := settings.impressions) is not None:
        table = open_table("impressions", source, folder)
        shown, report = read_impressions(table, source, spaces, quarantine, now=now)
        reports.append(report)
    logs = [] if events is None else [events.frame]
    logs += [shown] if shown.width else []
    user_ids = _ids(spaces[0], users, [frame[Column.USER_ID] for frame in logs])
    item_ids = _ids(spaces[1], items, [frame[Column.ITEM_ID] for frame in logs])
    if settings.tags is not None:
        table = open_table("tags", settings.tags, folder)
        item_rows = partial(spaces[1].rows, ids=item_ids)
        tags, report = read_tags(table, settings.tags, item_rows, quarantine, now=now)
        reports.append(report)
    found = [table.report for table in (events, items, users) if table is not None]
    return _Tables(
        spaces=spaces,
        users=users,
        items=items,
        events=events,
        shown=shown,
        user_ids=user_ids,
        item_ids=item_ids,
        tags=tags,
        reports=(*found, *reports),
    )


def _ids(space: IdSpace, entities: EntityTable | None, seen: list[pl.Series]) -> pl.Series:
    columns = [*([] if entities is None else [entities.ids]), *seen]
    return space.first_seen(*columns) if columns else pl.Series("id", [], dtype=pl.String)


def _dataset(tables: _Tables, settings: DataSettings) -> Dataset:
    users = Vocabulary(tables.user_ids, "user")
    liked, dismissed = _interactions(tables)
    catalog = Catalog(
        Vocabulary(tables.item_ids, "item"),
        _with_rows(tables.items, len(tables.item_ids)),
        () if settings.items is None else text_fields(settings.items),
    )
    return Dataset(
        users,
        catalog.with_tags(tables.tags) if len(tables.tags) else catalog,
        liked,
        dismissed,
        tuple(settings.all_kinds()),
        _impressions(tables),
        _with_rows(tables.users, len(users)),
        tables.tags,
        () if settings.users is None else settings.users.text,
    )


def _interactions(tables: _Tables) -> tuple[Interactions, Interactions]:
    n_users = len(tables.user_ids)
    if tables.events is None:
        nothing = Interactions.of([[]] * n_users)
        return nothing, nothing
    frame = tables.events.frame
    user_rows = tables.spaces[0].rows(frame[Column.USER_ID], tables.user_ids)
    item_rows = tables.spaces[1].rows(frame[Column.ITEM_ID], tables.item_ids)
    return interactions_of(tables.events, user_rows, item_rows, n_users)


def _impressions(tables: _Tables) -> Impressions:
    if not tables.shown.width:
        return Impressions.none()
    user_rows = tables.spaces[0].rows(tables.shown[Column.USER_ID], tables.user_ids)
    item_rows = tables.spaces[1].rows(tables.shown[Column.ITEM_ID], tables.item_ids)
    return impressions_of(tables.shown, user_rows, item_rows)


def _with_rows(entities: EntityTable | None, n_rows: int) -> pl.DataFrame:
    """Give the attributes of n entities, null for those that only events know."""
    if entities is None or not entities.frame.width:
        return pl.DataFrame(height=n_rows)
    n_more = n_rows - len(entities.frame)
    return pl.concat([entities.frame, entities.frame.clear(n_more)])


def _warnings(tables: _Tables, dataset: Dataset) -> tuple[str, ...]:
    warnings = []
    if not len(dataset.interactions):
        found = "there are no events" if tables.events is None else "no event shows interest"
        warnings.append(f"{found}: words alone will recommend, and nothing can be evaluated")
    n_listed = 0 if tables.items is None else len(tables.items.ids)
    unlisted = dataset.n_items - n_listed
    if tables.items is not None and unlisted:
        names = dataset.items.ids.slice(n_listed, 3).to_list()
        warnings.append(
            f"{unlisted} items of the events are not in the catalogue, such as {names}; "
            "they were added without words"
        )
    texts = [pl.Series(cells).is_not_null() for _, cells in dataset.catalog.texts()]
    wordless = dataset.n_items if not texts else int((~np.any(texts, axis=0)).sum())
    if wordless:
        warnings.append(f"{wordless} of {dataset.n_items} items have no text")
    lengths = dataset.interactions.histories.lengths + dataset.dismissals.histories.lengths
    idle = int((lengths == 0).sum())
    if idle:
        warnings.append(f"{idle} of {dataset.n_users} users have no events")
    if tables.events is not None and not dataset.has_times:
        warnings.append(
            "events carry no time, only an order; they cannot be cut at a time (use leave-one-out)"
        )
    return tuple(warnings)
