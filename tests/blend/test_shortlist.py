import numpy as np
import pytest
from tests.blend.worlds import TellsAll, Told

from longtale.blend.convex import ConvexBlend
from longtale.blend.hybrid import Hybrid
from longtale.blend.shortlist import N_EACH, Shortlist
from longtale.data.query import Queries
from longtale.seeds import generator

N_ITEMS = 6_000


@pytest.fixture
def hybrid():
    rng = generator(0, "shortlist")
    quick = TellsAll(rng.standard_normal(N_ITEMS).astype(np.float32))
    slow = Told(rng.standard_normal(N_ITEMS).astype(np.float32))
    return Hybrid((quick, slow), ConvexBlend.equal(("quick", "slow"), ("quick", "slow")))


@pytest.fixture
def shortlist():
    return Shortlist.of(np.arange(N_ITEMS)[::-1], generator(1, "shortlist"))


def asked(hybrid, shortlist, exclude=None):
    queries = Queries.of([[0]])
    exclude = np.zeros((1, N_ITEMS), dtype=np.bool_) if exclude is None else exclude
    found = shortlist.scores(hybrid, queries, exclude)
    scores = hybrid.source_scores(queries, N_ITEMS).scores
    whole = hybrid.blender.contributions(queries, scores)
    return found, found.contributions(queries), whole


def test_items_of_the_shortlist_have_nearly_the_score_they_would_have(hybrid, shortlist):
    found, shares, whole = asked(hybrid, shortlist)
    assert N_EACH <= len(found.items) < N_ITEMS
    np.testing.assert_allclose(shares[..., found.items], whole[..., found.items], atol=0.2)


def test_all_others_are_as_if_nobody_could_score_them(hybrid, shortlist):
    found, shares, _ = asked(hybrid, shortlist)
    left_out = np.setdiff1d(np.arange(N_ITEMS), found.items)
    assert np.isneginf(shares[0, 0, left_out]).all()


def test_a_narrow_filter_lets_all_that_is_left_be_scored(hybrid, shortlist):
    exclude = np.ones((1, N_ITEMS), dtype=np.bool_)
    exclude[0, [5, 5_999]] = False
    found, _, _ = asked(hybrid, shortlist, exclude)
    assert found.items.tolist() == [5, 5_999]


def test_weights_outside_of_the_shortlist_are_zero(hybrid, shortlist):
    found, _, _ = asked(hybrid, shortlist)
    outside = np.setdiff1d(np.arange(N_ITEMS), found.items)[:1]
    items = np.array([[found.items[0], outside[0]]], dtype=np.int32)
    weights = found.weights_at(Queries.of([[0]]), items)
    assert (weights[:, 0, 0] == 0.5).all()
    assert (weights[:, 0, 1] == 0).all()


def test_a_source_that_fails_is_named_and_the_others_go_on(hybrid, shortlist):
    broken = Hybrid((hybrid.retrievers[0], Told(None)), hybrid.blender)
    found = shortlist.scores(broken, Queries.of([[0]]), np.zeros((1, N_ITEMS), dtype=np.bool_))
    assert found.failed == ("slow",)
    assert np.isfinite(found.contributions(Queries.of([[0]]))[0, 0, found.items]).all()
