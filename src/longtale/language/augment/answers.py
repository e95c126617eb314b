"""Answers of a language model, kept on disk by what was asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from longtale.errors import SourceError


class Answers:
    """What was answered, by a hash of what was asked; each answer is on disk before it is used.

    Args:
        path: file of one JSON object a line; None keeps nothing on disk.

    Raises:
        SourceError: the file cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            self._known = _read(path)

    def get(self, *asked: str) -> str | None:
        """Give an answer; None where it was not asked before."""
        return self._known.get(_digest(asked))

    def put(self, answer: str, *asked: str) -> None:
        """Keep an answer."""
        key = _digest(asked)
        self._known[key] = answer
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                # The line before may have been cut off: each begins a new one.
                file.write("\n" + json.dumps({"asked": key, "answer": answer}))
        except OSError as error:
            raise SourceError(
                f"answers cannot be kept in '{self._path}': {error}; name another file as `cache`"
            ) from None


def _read(path: Path) -> dict[str, str]:
    known = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"the kept answers in '{path}' cannot be read: {error}; name another file as `cache`"
        ) from None
    for line in lines:
        try:
            kept = json.loads(line)
            known[str(kept["asked"])] = str(kept["answer"])
        except (ValueError, KeyError, TypeError):
            continue  # the end of a line that was cut off is asked again
    return known


def _digest(asked: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
