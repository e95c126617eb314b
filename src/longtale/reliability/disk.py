"""A disk whose power can be cut.

It keeps what it was asked to sync. Of what was written since, it keeps some and loses some, in any
order, and may have been in the middle of one write; a new file may have no name yet, and one that
was removed may come back (the faults of Pillai et al. 2014, "All file systems are not created
equal", OSDI).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Write:
    """Bytes that were written somewhere in a file."""

    offset: int
    data: bytes

    def onto(self, content: bytearray) -> None:
        """Change the content of a file."""
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, rng: np.random.Generator) -> Write:
        """Give the first part of it."""
        return Write(self.offset, self.data[: int(rng.integers(len(self.data)))])


@dataclass(frozen=True)
class Cut:
    """A file was made shorter."""

    size: int

    def onto(self, content: bytearray) -> None:
        """Change the content of a file."""
        del content[self.size :]

    def torn(self, rng: np.random.Generator) -> Cut:
        """Give it as it is: it is done or not."""
        return self


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write | Cut] = field(default_factory=list)
    before: bytearray | None = None
    """What the name stood for, until it is durable that this file took its place."""
    is_named: bool = False
    """Whether it is durable that the name stands for this file."""
    is_deleted: bool = False


class Disk:
    """What is asked of a disk, and what is left of it when the power is cut.

    Args:
        n_steps: writes, cuts, syncs and removals until then; what comes later leaves no trace.
    """

    def __init__(self, n_steps: int) -> None:
        self._files: dict[str, _File] = {}
        self._n_steps = n_steps

    @property
    def is_cut(self) -> bool:
        """Whether the power is gone."""
        return self._n_steps <= 0

    def opened(self, name: str) -> None:
        """Note that a file is there, made now where it was not."""
        if self.is_cut:
            return
        known = self._files.get(name)
        if known is None:
            self._files[name] = _File()
        elif known.is_deleted:
            self._files[name] = _File(before=known.durable if known.is_named else known.before)

    def changed(self, name: str, change: Write | Cut) -> None:
        """Note a change that the disk has not promised to keep yet."""
        if self._goes_on():
            self._files[name].pending.append(change)

    def synced(self, name: str) -> None:
        """Note that the disk keeps a file as it is; with a new journal SQLite syncs the folder."""
        if not self._goes_on():
            return
        file = self._files[name]
        for change in file.pending:
            change.onto(file.durable)
        file.pending.clear()
        if not file.is_named and name.endswith(("-journal", "-wal")):
            self._sync_folder()

    def removed(self, name: str, *, is_synced: bool) -> None:
        """Note that a file was removed, for good only where its folder is synced too."""
        if self._goes_on() and name in self._files:
            self._files[name].is_deleted = True
            if is_synced:
                self._sync_folder()

    def left(self, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
        """Give the files that are there when the power is back, one way it may have gone."""
        for name, file in self._files.items():
            content: bytearray | None = _survivor(file, rng)
            if file.is_deleted and rng.random() < 0.5:
                content = None
            elif not file.is_named and rng.random() < 0.5:
                content = file.before
            if content is not None:
                yield name, bytes(content)

    def _sync_folder(self) -> None:
        self._files = {name: file for name, file in self._files.items() if not file.is_deleted}
        for file in self._files.values():
            file.is_named = True

    def _goes_on(self) -> bool:
        self._n_steps -= 1
        return self._n_steps >= 0


def _survivor(file: _File, rng: np.random.Generator) -> bytearray:
    """Give a file with those of its pending changes that reached the disk."""
    luck = rng.choice([0.0, 0.5, 0.9, 1.0])
    kept = [change for change in file.pending if rng.random() < luck]
    if kept and rng.random() < 0.5:
        kept[-1] = kept[-1].torn(rng)
    content = bytearray(file.durable)
    for change in kept:
        change.onto(content)
    return content
