"""Several retrievers and a blender as one: score with each, calibrate, add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np

from longtale.arrays import Floats, Mask, Rows
from longtale.contracts import Blender, Imagining, Narrowing, Retriever
from longtale.data.query import Queries
from longtale.log import warn


@dataclass(frozen=True, eq=False)
class SourceScores:
    """What the sources say before anything is blended.

    Args:
        scores: float32 (S, B, N), NaN where a source cannot say.
        failed: names of the sources that raised an error; their scores are NaN.
    """

    scores: Floats
    failed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Hybrid:
    """S retrievers and the blender that was fitted to them."""

    retrievers: tuple[Retriever, ...]
    blender: Blender

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the retrievers, in the order of the first axis of all scores."""
        return tuple(retriever.name for retriever in self.retrievers)

    def source_scores(self, queries: Queries, n_items: int) -> SourceScores:
        """Ask the retrievers that the blend uses; one that fails is named, and the others go on."""
        used = self.blender.uses(queries)
        return source_scores(self.retrievers, queries, n_items, used=used, survive=True)


def source_scores(
    retrievers: Sequence[Retriever],
    queries: Queries,
    n_items: int,
    *,
    used: Mask | None = None,
    survive: bool = False,
    at: Rows | None = None,
) -> SourceScores:
    """Ask every retriever for the whole catalogue, or for a part of it.

    Who has no history, and says what they want, is to those that know behaviour somebody who chose
    what suits these words: a handful of items stands in for a history.

    Args:
        retrievers: the S sources.
        queries: B requests.
        n_items: N; items that came after a retriever was fitted get NaN from it.
        used: bool (S,), which of them are asked, the others say nothing; None asks all.
        survive: leave out and name a retriever that fails, instead of failing with it; right for
            answering, wrong for training and measuring.
        at: int32 (C,), rows of the items that are asked about, of retrievers that can name these
            alone (`Narrowing`); None is all.
    """
    width = n_items if at is None else len(at)
    scores = np.full((len(retrievers), len(queries), width), np.nan, dtype=np.float32)
    failed = []
    imagining = next((r for r in retrievers if can(type(r), "imagined")), None)
    imagined = _imagined(imagining, queries, survive=survive)
    for source, retriever in enumerate(retrievers):
        if used is not None and not used[source]:
            continue
        try:
            asked = queries if retriever is imagining else imagined
            _fill(scores[source], retriever, asked, at)
        except Exception as error:  # whatever a part does, the user gets a slate
            if not survive:
                raise
            warn("retriever failed", source=retriever.name, error=repr(error))
            failed.append(retriever.name)
    return SourceScores(scores, tuple(failed))


def _fill(scores: Floats, retriever: Retriever, queries: Queries, at: Rows | None) -> None:
    """Write what one retriever says into scores, float32 (B, N) or (B, C)."""
    if at is None:
        found = retriever.scores(queries)
        scores[:, : found.shape[1]] = found
    elif can(type(retriever), "scores_at"):
        narrowing = cast("Narrowing", retriever)
        known = at < narrowing.n_items
        scores[:, known] = narrowing.scores_at(queries, at[known])


@cache
def can(kind: type, method: str) -> bool:
    """Say whether a class has a method; that a protocol is asked takes 50 times as long."""
    return callable(getattr(kind, method, None))


def _imagined(imagining: Retriever | None, queries: Queries, *, survive: bool) -> Queries:
    if imagining is None:
        return queries
    try:
        return cast("Imagining", imagining).imagined(queries)
    except Exception as error:
        if not survive:
            raise
        warn("nothing could be imagined from words", error=repr(error))
        return queries
