"""From the blend's scores to the slate: ranker, dials, rerankers and exploration, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from longtale.arrays import Floats, Mask, Rows
from longtale.data.candidates import Candidates, Slate
from longtale.data.query import Queries
from longtale.errors import QueryError
from longtale.log import warn
from longtale.rank.diversity import MMR
from longtale.rank.evidence import ItemEvidence
from longtale.rank.explore import EpsilonGreedy
from longtale.rank.features import Scored
from longtale.rank.limits import Limits, LimitSettings
from longtale.rank.ranker import Ranker
from longtale.rank.tail import LongTail
from longtale.recommend.dials import Dials
from longtale.recommend.present import FILLS
from longtale.recommend.settings import SlateSettings

POOL = 200
"""How many of the best items are given to what reorders; places below are never reached."""


@dataclass(frozen=True, eq=False)
class Said:
    """What was said of N items for B requests, before anything was chosen.

    Args:
        sources: names of the S retrievers.
        scores: float32 (S, B, N), as the retrievers gave them.
        contributions: float32 (S, B, N), what each adds to the blended score.
        degraded: names of the parts that failed.
        nudges: by name, what is added to the score after the ranker, float32 (B, N).
    """

    sources: tuple[str, ...]
    scores: Floats
    contributions: Floats
    degraded: tuple[str, ...]
    nudges: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Slating:
    """Makes slates for one state of a catalogue.

    Args:
        settings: how each part is set.
        evidence: what is known of the N items.
        ranker: learned order over candidates; None where there is none.
    """

    settings: SlateSettings
    evidence: ItemEvidence
    ranker: Ranker | None

    def slate(
        self,
        queries: Queries,
        said: Said,
        k: int,
        *,
        exclude: Mask,
        dials: Dials,
        rng: np.random.Generator | None = None,
    ) -> Slate:
        """Choose k items for each of B requests.

        Args:
            queries: B requests.
            said: what the sources and their blend say.
            k: length of the slates.
            exclude: bool (B, N), items that must not come.
            dials: what is turned.
            rng: draws what is explored; None draws afresh.

        Raises:
            QueryError: a limit names a column without groups.
        """
        names, contributions = said.sources, said.contributions
        degraded = said.degraded
        if self.ranker is not None and self.ranker.is_accepted:
            try:
                moved = self.ranked(self.ranker, queries, said, exclude)
            except Exception as error:  # noqa: BLE001  whatever a part does, the user gets a slate
                warn("ranker failed", error=repr(error))
                degraded = (*degraded, "ranker")
            else:
                names, contributions = _added(names, contributions, "ranker", moved)
        for name, nudge in said.nudges.items():
            names, contributions = _added(names, contributions, name, nudge)
        if dials.long_tail:
            turned = self._long_tail.turned(dials.long_tail)
            scores = contributions.sum(axis=0)
            scored = np.where(scores > FILLS, scores, np.float32(-np.inf))
            lifted = turned.contribution(scored, exclude=exclude)
            names, contributions = _added(names, contributions, "long_tail", lifted)
        scores = contributions.sum(axis=0)
        width = max(POOL, 5 * k) if dials.reorders else k
        candidates = Candidates.best(scores, width, exclude=exclude)
        candidates, propensities = self._reordered(queries, candidates, k, dials, rng)
        return Slate.of(
            candidates,
            contributions,
            sources=names,
            propensities=propensities,
            degraded=degraded,
        )

    def ranked(self, ranker: Ranker, queries: Queries, said: Said, exclude: Mask) -> Floats:
        """Give what a ranker adds to each blended score, float32 (B, N)."""
        blended = said.contributions.sum(axis=0)
        scored = Scored(said.sources, said.scores, blended)
        found = ranker.reranked(queries, scored, self.evidence, masked=exclude)
        moved = np.zeros_like(blended)
        return np.subtract(found, blended, out=moved, where=np.isfinite(blended))

    def _reordered(
        self,
        queries: Queries,
        candidates: Candidates,
        k: int,
        dials: Dials,
        rng: np.random.Generator | None,
    ) -> tuple[Candidates, Floats | None]:
        width = candidates.items.shape[1]
        if dials.diversity:
            own = self.settings.diversity.model_copy(update={"strength": dials.diversity})
            kept = width if dials.at_most or dials.at_least_new or dials.explore else k
            candidates = MMR.of(self.evidence.vectors, own).rerank(queries, candidates, kept)
        if dials.at_most or dials.at_least_new:
            candidates = self._limited(queries, candidates, width if dials.explore else k, dials)
        if not dials.explore:
            return candidates, None
        lending = self.settings.explore.model_copy(update={"epsilon": dials.explore})
        rng = np.random.default_rng() if rng is None else rng
        explored = EpsilonGreedy(lending).explore(candidates, k, rng=rng)
        return explored.slate, explored.propensities

    def _limited(
        self, queries: Queries, candidates: Candidates, k: int, dials: Dials
    ) -> Candidates:
        limits = [(self._codes(column), most) for column, most in dials.at_most.items()]
        quota = LimitSettings(least_new=dials.at_least_new)
        return Limits.by_column(limits, self.evidence.is_new, quota).rerank(queries, candidates, k)

    def _codes(self, column: str) -> Rows:
        if column not in self.evidence.groups:
            raise QueryError(
                f"the slate cannot be limited by '{column}': it has no values that items share; "
                f"allowed are {', '.join(sorted(self.evidence.groups)) or 'none here'}"
            )
        return self.evidence.groups[column]

    @cached_property
    def _long_tail(self) -> LongTail:
        return LongTail.fit(self.evidence.counts.astype(np.int64), self.settings.long_tail)


def _added(
    names: tuple[str, ...], contributions: Floats, name: str, part: Floats
) -> tuple[tuple[str, ...], Floats]:
    return (*names, name), np.concatenate([contributions, part[None]])
