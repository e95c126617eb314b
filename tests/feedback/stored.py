"""Records to keep, and a look at every byte that a store left on its disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from longtale.contracts import EventStore
from longtale.data.record import KeptSlate, Record, RecordKind


def event(id_: str, *, user: str = "ann") -> Record:
    return Record(RecordKind.EVENT, user, {"item": f"about {id_}"}, id_, 0)


def slate(id_: str, *, user: str | None = "ann") -> KeptSlate:
    return KeptSlate(id_, user, 0, {"items": [id_]})


def files_with(text: str, folder: Path) -> list[Path]:
    """Give the files of a folder that hold a text."""
    return [path for path in _files(folder) if text.encode() in path.read_bytes()]


def fill(store: EventStore, user: str) -> None:
    """Write much about a user, between as much about others, in small and large rows."""
    for batch in range(30):
        store.append(
            [
                Record(
                    RecordKind.EVENT,
                    name,
                    {"by": name, "note": f"{name} " * size},
                    f"{name}-{batch}-{size}",
                    batch,
                )
                for size in (1, 40, 900)
                for name in (user, f"other-{batch}")
            ]
        )
        store.keep_slates(
            [
                KeptSlate(f"s-{batch}", user, batch, {"for": user, "why": f"{user} " * 900}),
                KeptSlate(f"t-{batch}", None, batch, {"for": "nobody"}),
            ]
        )


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
