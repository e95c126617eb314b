"""Structured logging: a constant lower-case sentence and key=value pairs, one line per stage."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_logger = logging.getLogger("longtale")


def info(sentence: str, **fields: object) -> None:
    """Log one line such as `read events rows=100836 quarantined=0`."""
    _line(logging.INFO, sentence, fields)


def warn(sentence: str, **fields: object) -> None:
    """Log one line about something that went wrong and was survived."""
    _line(logging.WARNING, sentence, fields)


@contextmanager
def stage(sentence: str, **fields: object) -> Iterator[dict[str, object]]:
    """Time a stage and log it once at its end; what is put into the yielded dict is logged too."""
    found: dict[str, object] = dict(fields)
    start = time.perf_counter()
    yield found
    info(sentence, **found, seconds=round(time.perf_counter() - start, 3))


def _line(level: int, sentence: str, fields: Mapping[str, object]) -> None:
    if _logger.isEnabledFor(level):
        _logger.log(
            level, "%s", " ".join([sentence, *(f"{k}={_shown(v)}" for k, v in fields.items())])
        )


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if any(c.isspace() for c in text) else text
