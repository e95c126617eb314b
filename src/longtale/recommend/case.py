"""One item under one question: where it stands when the same is asked again, or asked otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from longtale.arrays import Floats, Mask, Rows
from longtale.blend.hybrid import Hybrid, SourceScores
from longtale.data.catalog import Catalog
from longtale.data.query import Queries
from longtale.explain.attribution import Shapley, sampled_shapley
from longtale.explain.explanation import Named
from longtale.explain.grounds import latest
from longtale.explain.standing import Standing
from longtale.explain.why_not import Change, Place
from longtale.explain.words import CommonWords
from longtale.recommend.pipeline import Recommender
from longtale.recommend.present import FILLS
from longtale.recommend.question import Question, at_once, slates
from longtale.recommend.scoring import Scoring
from longtale.search.intent import parse_wish


@dataclass(frozen=True, eq=False)
class Case:
    """An item that is looked at.

    Args:
        recommender: knows the items and the histories.
        question: what was asked.
        row: the item.
        scoring: answers.
    """

    recommender: Recommender
    question: Question
    row: int
    scoring: Scoring

    @property
    def queries(self) -> Queries:
        """The request, a batch of one."""
        return self.question.queries

    @cached_property
    def history(self) -> Rows:
        """The last different items of the history, the latest first."""
        return latest(self.queries.histories.items)

    def named(self, row: int) -> Named:
        """Give an item as a reader knows it."""
        presenter = self.recommender.presenter
        return Named(presenter.ids[row], presenter.titles[row])

    def stand(self, queries: Queries) -> Standing:
        """Say where the item stands for each of B requests."""
        found = slates(self.scoring, self.question, queries)
        return Standing.concatenated(
            [Standing.of(s, self.row, unscored=float(FILLS)) for s in found]
        )

    def place(self, rank: int) -> int | None:
        """Give the item's place in the slate, from its rank by score; None where it is not in."""
        n = self.question.n
        if not replace(self.question.dials, explore=0.0).reorders:
            return rank if rank <= n else None
        (slate,) = slates(self.scoring, self.question, self.queries, k=n)
        places = np.flatnonzero(slate.candidates.items[0] == self.row)
        return int(places[0]) + 1 if len(places) else None

    def after(self, change: Change) -> Place:
        """Ask with something changed."""
        asked = self.question.changed(self.recommender, change, self.row)
        case = replace(self, question=asked.letting(self.row))
        found = case.stand(case.queries)
        rank = int(found.ranks[0])
        is_out = bool(asked.excluded[0, self.row]) or case.place(rank) is None
        return Place(rank, int(found.n_candidates[0]), bool(found.is_scored[0]), not is_out)

    def of_whole(self) -> Case:
        """Give the case in which every item is scored, also where a shortlist is what is served."""
        return replace(self, scoring=_whole(self.scoring))

    def shapley(
        self, n_permutations: int, rng: np.random.Generator
    ) -> tuple[tuple[str, ...], Shapley, float]:
        """Share the score out among the sources, with all that is made of what they say.

        Returns:
            names of the sources that are asked, their Shapley values, and what the score is worth
            without any of them.
        """
        hybrid, n_items = self.scoring.hybrid, self.recommender.dataset.n_items
        players = np.flatnonzero(hybrid.blender.uses(self.queries))
        scores = hybrid.source_scores(self.queries, n_items).scores

        def worth(coalitions: Mask) -> Floats:
            heard = np.zeros((len(coalitions), len(hybrid.sources)), dtype=np.bool_)
            heard[:, players] = coalitions
            size = at_once(hybrid, n_items)
            parts = [heard[start : start + size] for start in range(0, len(heard), size)]
            return np.concatenate([self._heard_only(scores, part) for part in parts])

        found = sampled_shapley(worth, len(players), n_permutations=n_permutations, rng=rng)
        nobody = worth(np.zeros((1, len(players)), dtype=np.bool_))
        return tuple(hybrid.sources[s] for s in players), found, float(nobody[0])

    def _heard_only(self, scores: Floats, heard: Mask) -> Floats:
        hybrid = self.scoring.hybrid
        partly = _Partly(hybrid.retrievers, hybrid.blender, scores, heard)
        case = replace(self, scoring=replace(_whole(self.scoring), hybrid=partly))
        return case.stand(self.queries.take(np.zeros(len(heard), dtype=np.int64))).values

    def shared_with(self, row: int) -> tuple[str, ...]:
        """Give rare words that another item's text has in common with this one's."""
        texts = texts_of(self.recommender.catalog)
        return _common(self.recommender.catalog).shared(texts[row], texts[self.row])

    def said_of_it(self) -> tuple[str, ...]:
        """Give those of the asker's words for what they like that stand in the item's text."""
        catalog = self.recommender.catalog
        likes = parse_wish(self.question.text).likes
        return _common(catalog).shared(likes, texts_of(catalog)[self.row])

    def together(self, row: int) -> int:
        """Count the users who chose both another item and this one."""
        events = self.recommender.dataset.interactions
        users, items = events.users, events.items
        return len(np.intersect1d(users[items == row], users[items == self.row]))


@dataclass(frozen=True, eq=False)
class _Partly(Hybrid):
    """A hybrid in which each of B requests hears only some sources.

    Args:
        scores: float32 (S, 1, N), what all sources said.
        heard: bool (B, S).
    """

    scores: Floats
    heard: Mask

    def source_scores(self, queries: Queries, n_items: int) -> SourceScores:
        heard = self.heard.T[:, :, None]
        return SourceScores(np.where(heard, self.scores, np.float32(np.nan)), ())


def _whole(scoring: Scoring) -> Scoring:
    whole = {"whole_up_to": len(scoring.slating.evidence)}
    settings = scoring.slating.settings.model_copy(update=whole)
    return replace(scoring, slating=replace(scoring.slating, settings=settings))


@lru_cache(maxsize=2)
def texts_of(catalog: Catalog) -> list[str]:
    """Give all text of each of N items."""
    columns = [cells for _, cells in catalog.texts()]
    return [". ".join(cell for cell in cells if cell) for cells in zip(*columns, strict=True)] or [
        ""
    ] * len(catalog)


@lru_cache(maxsize=2)
def _common(catalog: Catalog) -> CommonWords:
    return CommonWords.of(texts_of(catalog))
