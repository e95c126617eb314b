"""Opens the store that a URL names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from longtale.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:  # it brings the tables of training, which who only writes events need not load
    from longtale.contracts import EventStore

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def open_store(url: str, folder: Path) -> EventStore:
    """Give the store of a URL, which has been reached once.

    Args:
        url: `memory:`, `sqlite:///FILE` or `postgresql://user:password@host/database`.
        folder: what the path of a SQLite file is relative to.

    Raises:
        SettingsError: it is none of these.
        MissingExtraError: a package that it needs is not installed.
        StoreError: it cannot be reached.

    Example:
        >>> open_store("memory:", Path()).last_seq()
        0
    """
    try:
        store = _store_of(url, folder)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            str(error.name), extra="serve,stores", purpose="keeping events"
        ) from None
    try:
        store.last_seq()
    except BaseException:
        store.close()
        raise
    return store


def has_store(url: str, folder: Path) -> bool:
    """Say whether there is a store to read from: a file that was made, or a server.

    Args:
        url: as for `open_store`.
        folder: what the path of a SQLite file is relative to.

    Example:
        >>> has_store("sqlite:///no-such-file.db", Path())
        False
    """
    if url.startswith(_SQLITE):
        return (folder / url.removeprefix(_SQLITE)).is_file()
    return url.startswith(_POSTGRES)


def _store_of(url: str, folder: Path) -> EventStore:
    if url == "memory:":
        from longtale.feedback.memory_store import MemoryStore

        return MemoryStore()
    if url.startswith(_SQLITE) and url != _SQLITE:
        from longtale.feedback.sqlite_store import SQLiteStore

        return SQLiteStore(folder / url.removeprefix(_SQLITE))
    if url.startswith(_POSTGRES):
        from longtale.feedback.postgres_store import PostgresStore

        return PostgresStore(url)
    scheme = url.partition("//")[0]  # what follows may hold a password
    raise SettingsError(
        f"no store is known by an address that begins with '{scheme}'; expected memory:, "
        "sqlite:///FILE (four slashes before an absolute path) or "
        "postgresql://user:password@host/database"
    )
