"""Look at a folder or a database and say what its tables and columns mean.

Names decide first, then content: the id column of the catalogue is the one that knows the items of
the log. What is not certain is said: a `Finding` becomes a comment in the settings file that
`longtale init` writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from longtale.data.event import DEFAULT_KINDS, EventKind
from longtale.data.inference import column_words as words
from longtale.data.inference.render import Finding, render_toml
from longtale.data.inference.sheet import Sheet, sheets_in_database, sheets_in_folder
from longtale.data.intake.mapping import (
    DataSettings,
    EventSource,
    ImpressionSource,
    ItemSource,
    TagSource,
    UserSource,
)
from longtale.errors import SourceError

__all__ = ["Finding", "Inferred", "infer", "render_toml"]

MAX_KINDS = 30


@dataclass(frozen=True)
class Inferred:
    """Settings that can be read as they are, and what should be looked at."""

    settings: DataSettings
    findings: tuple[Finding, ...]


def infer(place: Path | str) -> Inferred:
    """Say what the tables of a folder, or of a database by its SQLAlchemy URL, mean.

    Raises:
        SourceError: nothing that can be read, or neither events nor items among it.
    """
    findings: list[Finding] = []
    if "://" in str(place):
        sheets = sheets_in_database(str(place))
        findings += _password(str(place))
    else:
        sheets = sheets_in_folder(Path(place), findings)
    unread = [finding.note for finding in findings] if not sheets else []
    rest = list(sheets)
    tags = _taken(rest, Sheet.is_tags)
    shown = _taken(rest, Sheet.is_shown) if sum(sheet.is_log() for sheet in rest) > 1 else None
    log = _taken(rest, Sheet.is_log)
    items = _taken(rest, Sheet.is_items) or _taken(rest, Sheet.lists_items)
    users = _taken(rest, Sheet.is_users)
    findings += [Finding("data", f"'{sheet.name}' is not used") for sheet in rest]
    if log is None and items is None:
        seen = "; ".join(f"'{sheet.name}' has {', '.join(sheet.columns)}" for sheet in sheets)
        raise SourceError(
            "neither events (a user and an item column) nor items (an id and a title) were found "
            f"among: {seen or '; '.join(unread) or 'no table at all'}; "
            "name the columns in longtale.toml yourself"
        )
    events, kinds = (None, ()) if log is None else _events(log, findings)
    settings = DataSettings(
        events=events,
        kinds=kinds,
        items=None if items is None else _items(items, log, findings),
        users=None if users is None else _users(users, log),
        tags=None if tags is None else _tags(tags),
        impressions=None if shown is None else _impressions(shown),
    )
    return Inferred(settings, tuple(findings))


def _password(url: str) -> list[Finding]:
    if urlsplit(url).password is None:
        return []
    note = "this file holds a password; LONGTALE_DATA__EVENTS__SOURCE and the like keep it out"
    return [Finding("data", note)]


def _taken(sheets: list[Sheet], fits: Callable[[Sheet], bool]) -> Sheet | None:
    """Take the largest sheet that fits out of the list."""
    found = max(filter(fits, sheets), key=lambda sheet: sheet.n_rows, default=None)
    if found is not None:
        sheets.remove(found)
    return found


def _events(log: Sheet, findings: list[Finding]) -> tuple[EventSource, tuple[EventKind, ...]]:
    user, item = log.user or "", log.item or ""
    for part, column, known in (("user", user, words.USER), ("item", item, words.ITEM)):
        if log.one(known) != column:
            findings.append(Finding("events", f"is '{column}' the {part}'s id?"))
    slate = log.one(words.SLATE)
    event_id = log.one(words.EVENT_ID)
    when = log.time(but=(user, item))
    order = _order(log, when, findings)
    kind, kinds = _kind(log, findings)
    value = next(
        (c for c in log.all(words.VALUE, but=(user, item, when, kind)) if log.is_number(c)), None
    )
    if value is not None:
        note = f"every event counts, whatever its '{value}'; min_value of a [[data.kinds]] cuts"
        findings.append(Finding("events", note))
    return EventSource(
        **log.source,
        user=user,
        item=item,
        time=when,
        order=order,
        kind=kind,
        value=value,
        event_id=event_id if event_id is not None and log.is_unique(event_id) else None,
        slate=slate,
        rank=None if slate is None else log.one(words.RANK),
        propensity=None if slate is None else log.one(words.PROPENSITY),
        default_kind=_kind_of_table(log) if value is None or kind is not None else "rate",
    ), kinds


def _order(log: Sheet, when: str | None, findings: list[Finding]) -> str | None:
    order = log.one(words.ORDER) if log.one(words.SLATE) is None else None
    if order is not None and not log.is_whole(order):
        order = None
    if when is not None and when not in log.all(words.TIME):
        findings.append(Finding("events", f"is '{when}' the time of the event?"))
    if when is None:
        found = "no time" if order is not None else "neither time nor order"
        rest = "" if order is not None else " and rows count as oldest first"
        findings.append(
            Finding("events", f"{found} was found: events cannot be cut at a time{rest}")
        )
    return order


def _kind_of_table(log: Sheet) -> str:
    name = words.plain(log.name)
    found = (k for k, stems in words.KIND_OF_TABLE.items() if any(s in name for s in stems))
    return next(found, "rate")


def _kind(log: Sheet, findings: list[Finding]) -> tuple[str | None, tuple[EventKind, ...]]:
    kind = log.one(words.KIND)
    if kind is None:
        return None, ()
    names = log.distinct(kind, MAX_KINDS + 1)
    if len(names) > MAX_KINDS or not all(0 < len(name) <= 64 for name in names):
        findings.append(Finding("events", f"'{kind}' holds too much to be the kind of event"))
        return None, ()
    weights = {default.name: default.weight for default in DEFAULT_KINDS}
    new = []
    for name in names:
        if name not in weights:
            like = words.kind_like(name)
            new.append(EventKind(name=name, weight=weights[like or "click"]))
            guess = "1 is a click" if like is None else f"it was taken for a kind of '{like}'"
            note = f"how much interest does '{name}' show? {guess}"
            findings.append(Finding(f"kinds.{name}", note))
    return kind, tuple(new)


def _items(sheet: Sheet, log: Sheet | None, findings: list[Finding]) -> ItemSource:
    id_column = _item_id(sheet, log, findings)
    title = sheet.all(words.TITLE, but=(id_column,))[:1]
    creator = sheet.all(words.CREATOR, but=(id_column, *title))
    category = sheet.all(words.CATEGORY, but=(id_column, *title))
    tags = sheet.all(words.TAGS, but=(id_column, *title))
    description = sheet.all(words.DESCRIPTION, but=(id_column, *title))
    taken = {id_column, *title, *creator, *category, *tags, *description}
    findings += [
        Finding("items", f"'{column}' holds words and is kept as an attribute only")
        for column in sheet.columns
        if column not in taken and sheet.is_prose(column)
    ]
    return ItemSource(
        **sheet.source,
        id=id_column,
        title=title,
        creator=creator,
        category=category,
        tags=tags,
        description=description,
        available_from=sheet.one(words.AVAILABLE_FROM),
        available_until=sheet.one(words.AVAILABLE_UNTIL),
        hidden=sheet.one(words.HIDDEN),
    )


def _item_id(sheet: Sheet, log: Sheet | None, findings: list[Finding]) -> str:
    """Take the column that knows most of the log's items; the same name decides between equals."""
    candidates = sheet.item_ids()
    if log is None or log.item is None:
        return candidates[0]
    log_item = log.item
    asked = log.ids(log_item)
    known = {c: sheet.share_known(c, asked) for c in candidates}
    best = max(candidates, key=lambda c: (known[c], words.plain(c) == words.plain(log_item)))
    if known[best] < 1:
        share = f"{100 * known[best]:.0f} %"
        findings.append(
            Finding("items", f"'{best}' knows {share} of the first items of '{log.name}'")
        )
    return best


def _users(sheet: Sheet, log: Sheet | None) -> UserSource:
    candidates = sheet.user_ids()
    same = [c for c in candidates if log is not None and c == log.user]
    id_column = (same or candidates)[0]
    texts = tuple(c for c in sheet.all(words.USER_TEXT) if sheet.is_prose(c))
    return UserSource(**sheet.source, id=id_column, text=texts)


def _tags(sheet: Sheet) -> TagSource:
    item, tag = sheet.item or "", sheet.one(words.TAG) or ""
    return TagSource(**sheet.source, item=item, tag=tag, time=sheet.time(but=(item, tag)))


def _impressions(sheet: Sheet) -> ImpressionSource:
    user, item = sheet.user or "", sheet.item or ""
    return ImpressionSource(
        **sheet.source,
        slate=sheet.one(words.SLATE) or "",
        user=user,
        item=item,
        rank=sheet.one(words.RANK),
        propensity=sheet.one(words.PROPENSITY),
        time=sheet.time(but=(user, item)),
    )
