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

from longtale.arrays import Floats, Rows
from longtale.contracts import Citing
from longtale.data.candidates import Slate
from longtale.data.catalog import Catalog
from longtale.data.query import Queries
from longtale.data.splits.bands import BANDS
from longtale.recommend.answer import Answer, AnswerItem, Json, Reason
from longtale.recommend.reasons import N_EVIDENCE, Cited, reason, strongest

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
        has_words = queries.text_vectors is not None
        whys = self._reasons(queries.histories.items, slate, rows, has_words=has_words)
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

    def _item(self, row: int, place: int, slate: Slate, why: Reason) -> AnswerItem:
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
            reasons=(why,),
            item=self._attributes(row),
            propensity=chance,
            **named,
        )

    def _reasons(self, history: Rows, slate: Slate, rows: Rows, *, has_words: bool) -> list[Reason]:
        """Give the main reason for each of K items."""
        mains = [strongest(shares) for shares in slate.contributions[:, 0].T.tolist()]
        evidence = {
            source: self.citing[slate.sources[source]].evidence(history, rows)
            for source in {source for source, _ in mains[: len(rows)]}
            if len(history) and slate.sources[source] in self.citing
        }
        return [
            reason(
                slate.sources[source],
                weight,
                self._cited(history, evidence[source][:, place]) if source in evidence else [],
                has_words=has_words,
            )
            for place, (source, weight) in enumerate(mains[: len(rows)])
        ]

    def _cited(self, history: Rows, speaks: Floats) -> list[Cited]:
        strongest_first = np.argsort(-speaks, kind="stable")[: 2 * N_EVIDENCE]
        rows = dict.fromkeys(int(history[e]) for e in strongest_first if speaks[e] > 0)
        return [Cited(self.ids[row], self.titles[row]) for row in list(rows)[:N_EVIDENCE]]

    def _attributes(self, row: int) -> dict[str, Json]:
        values = self.catalog.frame.row(row, named=True)
        return {name: _plain(value) for name, value in values.items()}

    @cached_property
    def ids(self) -> list[str]:
        """The N ids."""
        return self.catalog.items.ids.to_list()

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
