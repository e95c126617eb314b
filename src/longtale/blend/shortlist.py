"""Answering for a part of a large catalogue as if the whole had been scored.

Time grows with the items, and most of it goes into those that have no chance. So of a large
catalogue a shortlist is scored: the most popular items, those that any neighbourhood or linear
model reaches from the history, and those that are near in meaning. Sources that are quick all the
same score everything; the slow ones score the shortlist, and a sample of all items by which their
scale is told. What is in the shortlist has the score that it would have had, but for the error of
that sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows
from longtale.blend.hybrid import Hybrid, can, source_scores
from longtale.contracts import Blender, Retriever
from longtale.data.candidates import Scale
from longtale.data.query import Queries
from longtale.schema import Serves

N_EACH = 500
"""Items that each kind of source brings into the shortlist."""
N_SAMPLE = 1_000
"""Items by which the scale of a slow source is told; its deviation is off by 3 %."""


class Near(Protocol):
    """A source that can name the items that suit a request without scoring all."""

    def nearest(self, queries: Queries, k: int, *, exclude: Mask) -> Rows:
        """Give about the k best items of each request, int32 (C,), in any order."""
        ...


@dataclass(frozen=True, eq=False)
class Shortlisted:
    """What the sources of a blend say of a shortlist.

    Args:
        items: int32 (C,), rows, rising.
        scores: float32 (S, B, C), NaN where a source cannot say.
        blender: adds them up as if they stood among all N items.
        failed: names of the sources that raised an error.
        n_items: N.
    """

    items: Rows
    scores: Floats
    blender: Blender
    failed: tuple[str, ...]
    n_items: int

    def contributions(self, queries: Queries) -> Floats:
        """Give what each source adds to each item, float32 (S, B, N), as a blender does.

        Items that are not in the shortlist are as if no source could score them.
        """
        found = self.blender.contributions(queries, self.scores)
        shares = self._widened(found, np.float32(0))
        shares[0] = -np.inf
        shares[0][:, self.items] = found[0]
        return shares

    def weights_at(self, queries: Queries, items: Rows) -> Floats:
        """Give how far each source is trusted, float32 (S, B, K); 0 outside of the shortlist."""
        places = np.searchsorted(self.items, items).clip(0, max(len(self.items) - 1, 0))
        if not len(self.items):
            return np.zeros((len(self.scores), *items.shape), dtype=np.float32)
        weights = self.blender.weights_at(queries, self.scores, places.astype(np.int32))
        return np.where(self.items[places] == items, weights, np.float32(0))

    def whole_scores(self) -> Floats:
        """Give the scores in the width of the catalogue, float32 (S, B, N)."""
        return self._widened(self.scores, np.float32(np.nan))

    def _widened(self, values: Floats, empty: np.float32) -> Floats:
        wide = np.full((*values.shape[:2], self.n_items), empty, dtype=np.float32)
        wide[..., self.items] = values
        return wide


@dataclass(frozen=True, eq=False)
class _SameForAll:
    """A source that says the same to everybody: scores (N,), their scale, and the best items."""

    scores: Floats
    scale: Scale
    best: Rows


@dataclass(frozen=True, eq=False)
class Shortlist:
    """Chooses whom to score, for one state of a catalogue of N items.

    Args:
        order: int32 (N,), all items, the most popular first.
        sample: int32 (n,), some items drawn once.
    """

    order: Rows
    sample: Rows
    _same_for_all: dict[str, _SameForAll] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: NDArray[np.int64], rng: np.random.Generator) -> Shortlist:
        """Prepare for a catalogue.

        Args:
            counts: int64 (N,), interactions of each item.
            rng: draws the sample.
        """
        n_sample = min(N_SAMPLE, len(counts))
        sample = np.sort(rng.choice(len(counts), size=n_sample, replace=False))
        return cls(np.argsort(-counts, kind="stable").astype(np.int32), sample.astype(np.int32))

    def scores(self, hybrid: Hybrid, queries: Queries, exclude: Mask) -> Shortlisted:
        """Ask the sources of a hybrid about the items that have a chance.

        Args:
            hybrid: S sources and their blend.
            queries: B requests; the shortlist is one for all of them.
            exclude: bool (B, N), items that must not come.
        """
        n_items = len(self.order)
        used = hybrid.blender.uses(queries)
        same = {
            s: self._said_to_all(retriever)
            for s, retriever in enumerate(hybrid.retrievers)
            if used[s] and retriever.serves is Serves.ANYONE
        }
        slow = used & [can(type(r), "scores_at") for r in hybrid.retrievers]
        quick = used & ~slow
        quick[list(same)] = False
        ask = partial(source_scores, hybrid.retrievers, queries, n_items, survive=True)
        whole = ask(used=quick)
        items = self._chosen(hybrid, queries, whole.scores[quick], same, exclude)
        asked = np.concatenate([self.sample, items])
        part = ask(used=slow, at=asked)
        scores = part.scores[..., len(self.sample) :].copy()
        scores[quick] = whole.scores[quick][..., items]
        scale = Scale.of(part.scores[..., : len(self.sample)])
        scale = scale.replaced(quick, Scale.of(whole.scores[quick]))
        for source, said in same.items():
            scores[source] = said.scores[items]
            scale = scale.replaced(np.arange(len(used)) == source, said.scale)
        blender = hybrid.blender.narrowed(items, scale)
        return Shortlisted(items, scores, blender, (*whole.failed, *part.failed), n_items)

    def _chosen(
        self,
        hybrid: Hybrid,
        queries: Queries,
        heard: Floats,
        same: Mapping[int, _SameForAll],
        exclude: Mask,
    ) -> Rows:
        """Give the items that have a chance, int32 (C,), rising."""
        is_allowed: Mask = ~np.all(exclude, axis=0)
        allowed = self.order[is_allowed[self.order]]
        if len(allowed) <= N_EACH:
            return np.sort(allowed)
        found = [allowed[:N_EACH], *(said.best[is_allowed[said.best]] for said in same.values())]
        for scores in heard:
            found += [_best(row, out) for row, out in zip(scores, exclude, strict=True)]
        for retriever in hybrid.retrievers:
            if can(type(retriever), "nearest"):
                near = cast("Near", retriever)
                found.append(near.nearest(queries, N_EACH, exclude=exclude))
        return np.unique(np.concatenate(found)).astype(np.int32)

    def _said_to_all(self, retriever: Retriever) -> _SameForAll:
        known = self._same_for_all.get(retriever.name)
        if known is None:
            anybody = Queries.of([[]])
            scores = np.full(len(self.order), np.nan, dtype=np.float32)
            found = retriever.scores(anybody)[0]
            scores[: len(found)] = found
            nobody = np.zeros(len(scores), dtype=np.bool_)
            known = _SameForAll(scores, Scale.of(scores[None, None]), _best(scores, nobody))
            self._same_for_all[retriever.name] = known
        return known


def _best(scores: Floats, exclude: Mask) -> Rows:
    """Give the best items of one source among those that it speaks for, in any order."""
    heard = np.flatnonzero((scores > 0) & ~exclude)
    if len(heard) > N_EACH:
        heard = heard[np.argpartition(-scores[heard], N_EACH)[:N_EACH]]
    return heard.astype(np.int32)
