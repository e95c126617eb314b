"""From rows and scores to what the outside sees: ids, bands, reasons, times."""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats
from longtale.data.bands import BANDS
from longtale.data.candidates import Slate
from longtale.data.catalog import Catalog
from longtale.data.query import Queries
from longtale.recommend.answer import Answer, AnswerItem, Json
from longtale.recommend.reasons import reason


class Stages:
    """A stopwatch that names what it measured."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self.milliseconds: dict[str, float] = {}

    def mark(self, name: str) -> None:
        """Book the time since the last mark under a name."""
        now = time.perf_counter()
        self.milliseconds[name] = 1000 * (now - self._last)
        self._last = now

    @property
    def total_ms(self) -> float:
        """Milliseconds from the start to the last mark."""
        return 1000 * (self._last - self._start)


@dataclass(frozen=True, eq=False)
class Presenter:
    """Turns slates of rows into answers.

    Args:
        catalog: N items.
        bands: int8 (N,), code in `BANDS` of how known each item is.
        vectors: float32 (N, D), the items' meaning, to find evidence.
        version: name of the model that answers.
    """

    catalog: Catalog
    bands: NDArray[np.int8]
    vectors: Floats
    version: str

    def answer(self, queries: Queries, slate: Slate, stages: Stages) -> Answer:
        """Present the slate of a batch of one."""
        rows = slate.candidates.items[0]
        items = tuple(self._item(queries, slate, place) for place in range(int((rows >= 0).sum())))
        stages.mark("present")
        return Answer(
            slate_id=uuid.uuid4().hex,
            model_version=self.version,
            took_ms=stages.total_ms,
            stages=dict(stages.milliseconds),
            degraded=slate.degraded,
            items=items,
        )

    def _item(self, queries: Queries, slate: Slate, place: int) -> AnswerItem:
        row = int(slate.candidates.items[0, place])
        contributions = slate.contributions[:, 0, place]
        why = reason(
            slate.sources,
            contributions,
            item=row,
            history=queries.histories.items,
            vectors=self.vectors,
            titles=self.titles,
            ids=self.catalog.items.ids,
        )
        attributes = self.catalog.frame.row(row, named=True)
        return AnswerItem(
            id=self.catalog.items.ids[row],
            rank=place + 1,
            score=float(slate.candidates.scores[0, place]),
            sources=dict(zip(slate.sources, contributions.tolist(), strict=True)),
            band=BANDS[self.bands[row]],
            reasons=(why,),
            item={name: _plain(value) for name, value in attributes.items()},
        )

    @cached_property
    def titles(self) -> list[str]:
        """A name to show for each of the N items."""
        return self.catalog.titles()


def _plain(value: Any) -> Json:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
