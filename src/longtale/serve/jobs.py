"""What a process does again and again beside answering, and how it went the last time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from longtale.recommend.answer import Json


@dataclass
class Job:
    """One kind of work; one thread does it, others may look.

    Args:
        name: of the work.
        every_s: how long it rests in between.
        n_done: how often it was done.
        n_failed: how often it failed.
        began_at: when it began last, seconds since 1970; 0 is never.
        took_s: how long it took the last time it was done.
        last_error: why it failed last.
    """

    name: str
    every_s: float
    n_done: int = 0
    n_failed: int = 0
    began_at: float = 0.0
    took_s: float = 0.0
    last_error: str = ""

    @contextmanager
    def once(self) -> Iterator[None]:
        """Note how the work goes that is done while this is open; errors go on."""
        self.began_at, begun = time.time(), time.perf_counter()
        try:
            yield
        except Exception as error:
            self.n_failed += 1
            self.last_error = type(error).__name__  # its message may hold personal data
            raise
        self.n_done += 1
        self.took_s = time.perf_counter() - begun

    def as_dict(self) -> dict[str, Json]:
        """Give it as plain values."""
        began = datetime.fromtimestamp(self.began_at, UTC).isoformat(timespec="milliseconds")
        return {
            "name": self.name,
            "every_s": self.every_s,
            "done": self.n_done,
            "failed": self.n_failed,
            "last_began": began if self.began_at else None,
            "last_took_ms": round(1000 * self.took_s, 3),
            "last_error": self.last_error or None,
        }
