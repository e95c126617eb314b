from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from longtale.blend.convex import ConvexBlend
from longtale.data.query import Queries
from longtale.data.splits.bands import BANDS
from longtale.errors import QueryError
from longtale.recommend.answer import Answer
from longtale.recommend.dials import Dials
from longtale.recommend.pipeline import Recommender
from longtale.recommend.slating import Slating
from longtale.schema import Band

USER = "user 0"


def ids(answer: Answer) -> list[str]:
    return [item.id for item in answer.items]


def test_dials_at_rest_change_nothing(recommender: Recommender) -> None:
    usual = recommender.recommend(USER, n=6)
    resting = recommender.recommend(USER, n=6, dials=Dials())
    assert ids(usual) == ids(resting)
    assert {item.propensity for item in usual.items} == {1.0}


def test_each_dial_moves_the_slate_but_lets_nothing_seen_in(recommender: Recommender) -> None:
    usual = ids(recommender.recommend(USER, n=8))
    row = recommender.dataset.users.row(USER)
    seen = set(
        recommender.dataset.items.ids[recommender.dataset.histories(np.array([row])).items.tolist()]
    )
    for dials in (Dials(diversity=1), Dials(long_tail=1), Dials(explore=1)):
        turned = ids(recommender.recommend(USER, n=8, dials=dials))
        assert turned != usual, dials
        assert not seen & set(turned)


def test_long_tail_dial_lifts_less_known_items_and_says_so(recommender: Recommender) -> None:
    usual, turned = (
        recommender.recommend(USER, n=5, dials=Dials(long_tail=dial)) for dial in (0, 1)
    )
    ranks = [np.mean([BANDS.index(i.band) for i in each.items]) for each in (usual, turned)]
    assert ranks[1] > ranks[0]
    assert "long_tail" not in usual.items[0].sources
    assert max(item.sources["long_tail"] for item in turned.items) > 0


def test_items_that_nothing_scores_do_not_stretch_the_dial(recommender: Recommender) -> None:
    hybrid = recommender.hybrid
    only = ConvexBlend.equal(hybrid.sources, ["item_knn"])  # says nothing of untouched items
    deaf = replace(recommender, hybrid=replace(hybrid, blender=only))
    (first, *_) = deaf.recommend(USER, n=3, dials=Dials(long_tail=0.5)).items
    assert first.score is not None
    assert abs(first.score) < 100


def test_parts_of_a_turned_score_still_sum_to_it(recommender: Recommender) -> None:
    for item in recommender.recommend(USER, n=5, dials=Dials(long_tail=0.5)).items:
        assert sum(item.sources.values()) == pytest.approx(item.score, abs=1e-5)


def test_weights_of_the_gate_stand_in_each_answer(recommender: Recommender) -> None:
    for item in recommender.recommend(USER, n=5).items:
        assert set(item.weights) == set(recommender.hybrid.sources)
        assert sum(item.weights.values()) > 0
        for source, weight in item.weights.items():
            assert weight > 0 or item.sources[source] == 0


def test_explored_places_say_their_chance(recommender: Recommender) -> None:
    explored = recommender.recommend(USER, n=5, dials=Dials(explore=1)).items
    assert [item.propensity for item in explored[:2]] == [1, 1]
    assert all(0 < item.propensity < 1 for item in explored[2:])


def test_no_more_items_of_one_value_than_allowed(recommender: Recommender) -> None:
    catalog = recommender.catalog
    brands = pl.Series("maker", [f"maker {row % 3}" for row in range(len(catalog))])
    evidence = recommender.scoring.slating.evidence
    codes = (np.arange(len(catalog)) % 3)[:, None].astype(np.int32)
    grouped = type(evidence)(evidence.counts, evidence.vectors, {"maker": codes}, {})
    slating = Slating(recommender.slate_settings, grouped, None)
    scoring = replace(recommender.scoring, slating=slating)
    row = recommender.dataset.users.row(USER)
    queries = Queries(
        np.array([row], dtype=np.int32), recommender.dataset.histories(np.array([row]))
    )
    found = scoring.slate(
        queries,
        6,
        exclude=np.zeros((1, len(catalog)), dtype=np.bool_),
        dials=Dials(at_most={"maker": 2}),
    )
    slate = catalog.items.ids_of(found.candidates.items[0])
    makers = [brands[catalog.items.row(item)] for item in slate]
    assert sorted(makers) == sorted(["maker 0", "maker 1", "maker 2"] * 2)


def test_quota_of_new_items_is_kept(recommender: Recommender) -> None:
    items = recommender.recommend(USER, n=4, dials=Dials(at_least_new=1)).items
    assert Band.NEW in [item.band for item in items]


@pytest.mark.parametrize(
    ("dials", "match"),
    [
        ({"diversity": 2}, "diversity is 2; it must be from 0"),
        ({"long_tail": -0.1}, "long_tail is -0.1"),
        ({"explore": float("nan")}, "explore is nan"),
        ({"at_most": {"brand": 0}}, "at most 0 items of one 'brand'"),
        ({"at_least_new": -1}, "at_least_new is -1"),
    ],
)
def test_dials_out_of_range_are_refused(dials: dict[str, float], match: str) -> None:
    with pytest.raises(QueryError, match=match):
        Dials(**dials)


def test_limit_by_a_column_whose_values_nobody_shares_is_refused(recommender: Recommender) -> None:
    with pytest.raises(QueryError, match="cannot be limited by 'shape'"):
        recommender.recommend(USER, dials=Dials(at_most={"shape": 1}))
