"""Structured logging: a constant lower-case sentence and key=value pairs, one INFO line per stage."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

_logger = logging.getLogger("longtale")


def info(sentence: str, **fields: object) -> None:
    """Log one line such as `read events rows=100836 quarantined=0`."""
    if _logger.isEnabledFor(logging.INFO):
        _logger.info("%s", " ".join([sentence, *(f"{k}={_shown(v)}" for k, v in fields.items())]))


@contextmanager
def stage(sentence: str, **fields: object) -> Iterator[dict[str, object]]:
    """Time a stage and log it once at its end; what is put into the yielded dict is logged too."""
    found: dict[str, object] = dict(fields)
    start = time.perf_counter()
    yield found
    info(sentence, **found, seconds=round(time.perf_counter() - start, 3))


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if any(c.isspace() for c in text) else text
