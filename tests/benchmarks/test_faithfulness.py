"""The benchmark of citations tells those that hold from those that do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.faithfulness import (
    CITERS,
    Tally,
    ahead,
    drawn_users,
    like,
    part_of,
    record,
    tallied,
)

from longtale.data.synthetic import two_tribes
from longtale.recommend.case import Case
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import train


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    dataset = two_tribes(np.random.default_rng(2), n_items=30, n_events=8)
    return train(dataset, LongtaleSettings.parse({"encode": {"model": "hashed"}}), quality="fast")


def test_citations_that_hold_beat_those_of_the_last_items(recommender: Recommender) -> None:
    tallies = tallied(recommender, 12, n=5, seed=0)
    won = {name: float(np.mean(tally.won["score"])) for name, tally in tallies.items()}
    assert won[CITERS[1]] > 0.9
    assert won[CITERS[1]] >= won[CITERS[0]] > won[CITERS[2]]
    for tally in tallies.values():
        assert tally.n_known_ids == tally.n_ids > 0
        assert tally.n_items == 60


def test_an_id_that_is_not_in_the_history_is_counted(recommender: Recommender) -> None:
    question = Question.of(recommender, recommender.dataset.users.ids[0])
    (stranger, *_) = np.setdiff1d(np.arange(30), question.queries.histories.items)
    tally = Tally()
    case = Case(recommender, question, int(stranger), recommender.scoring)
    record(tally, case, 0, {"popular": [int(stranger)]}, np.random.default_rng(0))
    assert (tally.n_ids, tally.n_known_ids) == (1, 0)


def test_what_is_cited_wrongly_loses(recommender: Recommender) -> None:
    """Cite the items that speak most against: random others must be missed more."""
    question = Question.of(recommender, recommender.dataset.users.ids[0])
    row = int(
        recommender.catalog.items.row(
            recommender.recommend(recommender.dataset.users.ids[0], n=1).items[0].id
        )
    )
    case = Case(recommender, question, row, recommender.scoring)
    singles = [case.stand(question_without(question, j).queries).values[0] for j in case.history]
    tally, rng = Tally(), np.random.default_rng(0)
    for _ in range(10):
        record(tally, case, 0, {"ease": [int(case.history[np.argmax(singles)])]}, rng)
    assert np.mean(tally.won["score"]) < 0.2


def question_without(question: Question, row: int) -> Question:
    histories = question.queries.histories
    kept = histories.where(histories.items != row)
    return replace(question, queries=replace(question.queries, histories=kept))


def test_only_users_with_others_to_draw_from_take_part(recommender: Recommender) -> None:
    users = drawn_users(recommender, 1000, np.random.default_rng(0))
    assert len(set(users)) == len(users) == recommender.dataset.n_users


def test_a_reasons_own_part_is_that_of_its_sources(recommender: Recommender) -> None:
    question = Question.of(recommender, recommender.dataset.users.ids[0])
    standing = Case(recommender, question, 3, recommender.scoring).stand(question.queries)
    own = part_of(standing, "chosen_together")
    named = [standing.sources.index(name) for name in ("item_knn", "ease")]
    np.testing.assert_allclose(own, standing.shares[named].sum(axis=0))


def test_ties_are_half() -> None:
    assert (ahead(2, 1), ahead(1, 1), ahead(1, 2)) == (1.0, 0.5, 0.0)
    assert like({"ease": [5, 6], "als": [6]}, np.array([9, 8, 7])) == {"last": [9, 8]}
