"""From requests in rows to slates: ask the sources, blend, choose; it always answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from longtale.arrays import Floats, Mask
from longtale.blend.convex import ConvexBlend
from longtale.blend.hybrid import Hybrid
from longtale.blend.shortlist import Shortlist
from longtale.data.candidates import Slate
from longtale.data.query import Queries
from longtale.recommend.dials import AT_REST, Dials
from longtale.recommend.present import UNSCORED
from longtale.recommend.slating import Said, Slating
from longtale.seeds import generator


@dataclass(frozen=True, eq=False)
class Scoring:
    """Scores a catalogue and chooses of it, for one state of all parts.

    Args:
        hybrid: fitted retrievers and their blend.
        slating: makes slates of what they say.
        shortlist: chooses whom to score where the catalogue is too large to score whole.
    """

    hybrid: Hybrid
    slating: Slating
    shortlist: Shortlist

    @classmethod
    def of(cls, hybrid: Hybrid, slating: Slating) -> Scoring:
        """Put the parts together."""
        rng = generator(0, "shortlist")
        return cls(hybrid, slating, Shortlist.of(slating.evidence.counts.astype(np.int64), rng))

    def trusting(self, sources: Sequence[str]) -> Scoring:
        """Give the same, which asks only some of its sources and trusts them alike."""
        equal = ConvexBlend.equal(self.hybrid.sources, sources)
        hybrid = replace(self.hybrid, blender=equal)
        return replace(self, hybrid=hybrid, slating=replace(self.slating, ranker=None))

    def slate(
        self,
        queries: Queries,
        k: int,
        *,
        exclude: Mask,
        dials: Dials = AT_REST,
        nudges: Mapping[str, Floats] = MappingProxyType({}),
    ) -> Slate:
        """Answer a batch: the k best allowed items of each request.

        Args:
            queries: B requests.
            k: length of the slates.
            exclude: bool (B, N), items that must not come.
            dials: what is turned.
            nudges: by name, what else is added to each score, float32 (B, N).
        """
        n_items = len(self.slating.evidence)
        if n_items > self.slating.settings.whole_up_to:
            return self._of_shortlist(queries, k, exclude, dials, nudges)
        found = self.hybrid.source_scores(queries, n_items)
        blender = self.hybrid.blender
        contributions = self._filled(blender.contributions(queries, found.scores))
        said = Said(self.hybrid.sources, found.scores, contributions, found.failed, nudges)
        slate = self.slating.slate(queries, said, k, exclude=exclude, dials=dials)
        weights = blender.weights_at(queries, found.scores, slate.candidates.items)
        return replace(slate, weights=weights)

    def _of_shortlist(
        self, queries: Queries, k: int, exclude: Mask, dials: Dials, nudges: Mapping[str, Floats]
    ) -> Slate:
        """Answer as `slate` does, for a catalogue of which not all is scored."""
        found = self.shortlist.scores(self.hybrid, queries, exclude)
        contributions = self._filled(found.contributions(queries))
        scores = contributions if self.slating.ranker is None else found.whole_scores()
        said = Said(self.hybrid.sources, scores, contributions, found.failed, nudges)
        slate = self.slating.slate(queries, said, k, exclude=exclude, dials=dials)
        return replace(slate, weights=found.weights_at(queries, slate.candidates.items))

    def _filled(self, contributions: Floats) -> Floats:
        """Let items that no source can score stand behind all others, the most touched first."""
        unscored = np.isneginf(contributions[0])
        np.copyto(contributions[0], self._last_resort, where=unscored)
        return contributions

    @cached_property
    def _last_resort(self) -> Floats:
        return UNSCORED + self.slating.evidence.popularity
