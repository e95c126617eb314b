"""Explanations are true: without what they cite an item would stand worse than without the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Rows
from longtale.data.query import Queries
from longtale.explain.attribution import without
from longtale.explain.grounds import N_EVIDENCE, latest
from longtale.recommend import explaining
from longtale.recommend.bundle import load
from longtale.recommend.case import Case
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome
from longtale.seeds import generator

LEAST_SHARE = 0.8
_N = 10
_EVERY = 4  # of a slate is explained
_LEAST_ITEMS = 8
"""Shorter histories have too few others to draw from."""


def explanations(bench: Bench) -> Outcome:
    """Take away what an explanation cites, and as many others instead; compare the scores."""
    rng = generator(0, "explanations")
    recommender = load(bench.worlds.films)
    won: list[float] = []
    n_ids = n_unknown = 0
    for user in _users(recommender, bench.scale.n_explained, rng):
        question = Question.of(recommender, user, n=_N)
        for item in recommender.recommend(user, n=_N).items[::_EVERY]:
            row = recommender.catalog.items.row(item.id)
            case = Case(recommender, question, row, recommender.scoring)
            told = explaining.explain(recommender, question, item.id)
            cited = {cited.item.id for why in told.reasons for cited in why.evidence}
            cited |= {own for why in item.reasons for own in why.evidence}
            met = set(recommender.dataset.items.ids_of(case.queries.histories.items))
            n_ids += len(cited)
            n_unknown += len(cited - met)
            own = [c.item.id for why in told.reasons for c in why.evidence]
            won += _won(case, recommender.catalog.items.rows(list(dict.fromkeys(own))), rng)
    share = float(np.mean(won)) if won else 0.0
    measured = {
        "explained": len(won),
        "cited_matters_more": round(share, 4),
        "ids_cited": n_ids,
        "ids_that_do_not_exist": n_unknown,
    }
    is_kept = share >= LEAST_SHARE and not n_unknown
    detail = f"what is cited matters more than other items in {share:.1%} of the cases"
    return Outcome(measured, is_kept, "" if is_kept else detail)


@contextmanager
def anything_cited() -> Iterator[None]:
    """Cite items of the history that are drawn, whatever speaks for the item."""
    rng = generator(0, "what is cited")

    def drawn(credit: NDArray[np.floating]) -> list[int]:
        return rng.choice(len(credit), min(N_EVIDENCE, len(credit)), replace=False).tolist()

    with patch.object(explaining, "strongest", drawn):
        yield


def _users(recommender: Recommender, n: int, rng: np.random.Generator) -> Sequence[str]:
    histories = recommender.dataset.interactions.histories
    able = np.flatnonzero(histories.lengths >= _LEAST_ITEMS)
    drawn = rng.choice(able, min(n, len(able)), replace=False)
    return recommender.dataset.users.ids_of(drawn)


def _won(case: Case, cited: Rows, rng: np.random.Generator) -> list[float]:
    """Say whether the cited items matter more than as many others, 0.5 where they matter alike."""
    others = np.setdiff1d(latest(case.queries.histories.items), cited)
    if not len(cited) or len(others) < len(cited):
        return []
    drawn = rng.choice(others, len(cited), replace=False)
    both: Queries = without(case.queries, [cited.astype(np.int32), drawn])
    without_cited, without_drawn = case.stand(both).values
    if without_cited == without_drawn:
        return [0.5]
    return [float(without_cited < without_drawn)]
