"""From rows and scores to what the outside sees: ids, bands, reasons, times."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtale.contracts import Citing
from longtale.data.candidates import Slate
from longtale.data.catalog import Catalog
from longtale.data.query import Queries
from longtale.data.splits.bands import BANDS
from longtale.recommend.answer import Answer, AnswerItem, Json, Reason
from longtale.recommend.reasons import Cited, reason, reasons

UNSCORED = np.float32(-1e6)
"""Where items start that no source can score: behind all others, the most touched first."""
FILLS = UNSCORED / 2
"""At or below this no source scored an item: it only fills the list."""


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
        citing: the sources that can say what their scores rest on, by name.
        version: name of the model that answers.
    """

    catalog: Catalog
    bands: NDArray[np.int8]
    citing: Mapping[str, Citing]
    version: str

    def answer(self, queries: Queries, slate: Slate, stages: Stages) -> Answer:
        """Present the slate of a batch of one."""
        rows = slate.candidates.items[0]
        rows = rows[rows >= 0]
        whys = reasons(
            slate.sources,
            slate.contributions[:, 0, : len(rows)],
            queries.histories.items,
            rows,
            citing=self.citing,
            named=self._named,
            has_words=queries.text_vectors is not None,
        )
        items = tuple(
            self._item(row, place, slate, whys[place]) for place, row in enumerate(rows.tolist())
        )
        stages.mark("present")
        return Answer(
            slate_id=uuid.uuid4().hex,
            model_version=self.version,
            took_ms=stages.total_ms,
            stages=dict(stages.milliseconds),
            degraded=slate.degraded,
            items=items,
        )

    def pinned(self, row: int) -> AnswerItem:
        """Present an item that editors put where it stands; it has no score."""
        return AnswerItem(
            id=self.ids[row],
            rank=1,
            score=None,
            sources={},
            weights={},
            band=BANDS[self.bands[row]],
            reasons=(reason("chosen_by_editors", 1.0),),
            item=self._attributes(row),
        )

    def _item(self, row: int, place: int, slate: Slate, whys: tuple[Reason, ...]) -> AnswerItem:
        score = float(slate.candidates.scores[0, place])
        is_scored = score > FILLS
        shares, weights = slate.contributions[:, 0, place], slate.weights[:, 0, place]
        named = {
            kind: dict(zip(slate.sources, values.tolist(), strict=False)) if is_scored else {}
            for kind, values in {"sources": shares, "weights": weights}.items()
        }
        chance = 1.0 if slate.propensities is None else float(slate.propensities[0, place])
        return AnswerItem(
            id=self.ids[row],
            rank=place + 1,
            score=score if is_scored else None,
            band=BANDS[self.bands[row]],
            reasons=whys,
            item=self._attributes(row),
            propensity=chance,
            **named,
        )

    def _named(self, row: int) -> Cited:
        return Cited(self.ids[row], self.titles[row])

    def _attributes(self, row: int) -> dict[str, Json]:
        values = self.catalog.frame.row(row, named=True)
        return {name: plain(value) for name, value in values.items()}

    @cached_property
    def ids(self) -> list[str]:
        """The N ids."""
        return self.catalog.items.ids.to_list()

    @cached_property
    def titles(self) -> list[str]:
        """A name to show for each of the N items."""
        return self.catalog.titles()


def plain(value: Any) -> Json:
    """Give an attribute as JSON can hold it: times as text, what is not finite as null."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
