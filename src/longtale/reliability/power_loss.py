"""Cuts the power under a store of SQLite: what was acknowledged must be there afterwards.

The store is the real one, with its statements and pragmas. Only its SQLite is that of `apsw`, which
lets a `Disk` be told of all that happens to the files; when the power is back, the SQLite of Python
opens what the disk has left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from longtale.data.record import Record, RecordKind
from longtale.errors import MissingExtraError, StoreError
from longtale.feedback.sql_store import Connection
from longtale.feedback.sqlite_store import SQLiteStore
from longtale.reliability.disk import Cut, Disk, Write
from longtale.seeds import generator

try:
    import apsw
except ModuleNotFoundError:
    raise MissingExtraError("apsw", extra="reliability", purpose="cutting the power") from None

Synchronous = Literal["FULL", "NORMAL", "OFF"]
_MOST_STEPS = 400  # of writing and syncing, until the power is cut
_CHECKPOINT_PAGES = 20  # SQLite's own 1,000 would come in no trial as short as these
_FAR = 10**9
_names = count()


@dataclass(frozen=True)
class Loss:
    """What a loss of power did.

    Args:
        lost: ids of records that were acknowledged and are gone or changed.
        invented: ids of records that are there and should not be: never handed in, forgotten for
            good, or part of a batch that is not whole.
    """

    lost: tuple[str, ...]
    invented: tuple[str, ...]


class _WatchedFile(apsw.VFSFile):
    def __init__(self, name: str, flags: list[int], disk: Disk, opened: Any) -> None:
        super().__init__("", opened, flags)
        self._name = name
        self._disk = disk
        disk.opened(name)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk.changed(self._name, Write(offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.changed(self._name, Cut(newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.synced(self._name)  # a trial need not wait for the disk of this machine


class _WatchedFiles(apsw.VFS):
    """The files of this machine, with a disk that is told of all that happens to them."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self.name = name
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:  # a file of nobody, which no loss of power leaves behind
            return apsw.VFSFile("", name, flags)
        file = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _WatchedFile(Path(file).name, flags, self._disk, name)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._disk.removed(Path(filename).name, is_synced=syncdir)


class _Weakened:
    """A connection that syncs less than the store asks for."""

    def __init__(self, connection: apsw.Connection, synchronous: Synchronous) -> None:
        self._connection = connection
        self._pragma = f"PRAGMA synchronous={synchronous}"

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Any:
        statement = statement.replace("PRAGMA synchronous=FULL", self._pragma)
        return self._connection.execute(statement, values)

    def executemany(self, statement: str, values: Sequence[Sequence[Any]], /) -> object:
        return self._connection.executemany(statement, values)

    def close(self) -> None:
        self._connection.close()


@dataclass
class _Witness:
    """Remembers what the store has acknowledged, and what it was doing when the power went."""

    kept: dict[str, Record] = field(default_factory=dict)
    doubtful: dict[str, Record] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    """Ids of whom it was forgetting."""

    def compared(self, found: dict[str, Record]) -> Loss:
        """Give what is wrong with what was found; of what it was doing, all or nothing is right."""
        lost = [id_ for id_, record in self.kept.items() if found.get(id_) != record]
        if {*lost} == self.forgotten:
            lost = []
        new = {id_ for id_ in found if id_ not in self.kept}
        is_whole = new == self.doubtful.keys() and all(found[i] == self.doubtful[i] for i in new)
        return Loss(tuple(lost), () if is_whole or not new else tuple(sorted(new)))


def power_loss_trial(seed: int, *, synchronous: Synchronous = "FULL") -> Loss:
    """Give what a loss of power at some moment did to a store that was in use.

    Args:
        seed: decides what is written, when the power is cut and what the disk kept.
        synchronous: how SQLite is told to sync; what is less than the store's own FULL is a mutant,
            which must be seen to lose something.

    Example:
        >>> power_loss_trial(1)
        Loss(lost=(), invented=())
    """
    rng = generator(seed, "power loss")
    disk = Disk(int(rng.integers(1, _MOST_STEPS)))
    with TemporaryDirectory() as before, TemporaryDirectory() as after:
        witness = _used(disk, Path(before, "events.db"), rng, synchronous)
        for name, content in disk.left(rng):
            Path(after, name).write_bytes(content)
        return witness.compared(_found(Path(after, "events.db")))


def _used(disk: Disk, file: Path, rng: np.random.Generator, synchronous: Synchronous) -> _Witness:
    """Use a store until the power is cut, as a service would, and now and then open it again."""
    witness = _Witness()
    files = _WatchedFiles(f"power-loss-{next(_names)}", disk)

    def connect(path: Path) -> Connection:
        connection = apsw.Connection(str(path), vfs=files.name)
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        return _Weakened(connection, synchronous)

    while not disk.is_cut:
        store = SQLiteStore(file, connect=connect)
        for _ in range(int(rng.integers(1, 30))):
            if not disk.is_cut:
                _step(store, disk, witness, rng)
        store.close()
    files.unregister()
    return witness


def _step(store: SQLiteStore, disk: Disk, witness: _Witness, rng: np.random.Generator) -> None:
    draw = rng.random()
    if draw < 0.05:
        store.compact()
    elif draw < 0.1:
        user = f"u{rng.integers(5)}"
        store.forget(user)
        gone = {id_ for id_, record in witness.kept.items() if record.subject == user}
        if disk.is_cut:
            witness.forgotten = gone
        else:
            for id_ in gone:
                del witness.kept[id_]
    else:
        batch = {record.id: record for record in _records(rng)}
        store.append(list(batch.values()))
        (witness.doubtful if disk.is_cut else witness.kept).update(batch)


def _records(rng: np.random.Generator) -> Iterator[Record]:
    for _ in range(int(rng.integers(1, 12))):
        id_ = rng.bytes(8).hex()
        body = {"note": "x" * int(rng.integers(1, 2_000)), "of": id_}
        yield Record(RecordKind.EVENT, f"u{rng.integers(5)}", body, id_, int(rng.integers(10**9)))


def _found(file: Path) -> dict[str, Record]:
    """Give what the SQLite of Python finds; nothing where the file is damaged."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return {}
        with closing(SQLiteStore(file)) as store:
            return {stored.record.id: stored.record for stored in store.read(0, _FAR)}
    except (sqlite3.Error, StoreError):
        return {}
