from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.recommend.pipeline import Recommender
from longtale.serve.taste import STRENGTH, Taste, wishes


def means(recommender: Recommender, taste: Taste) -> tuple[float, float]:
    """Give what a taste adds to space films in the mean, and to films about love."""
    added = wishes(taste, recommender.item_vectors)
    is_space = recommender.catalog.frame["genres"].to_numpy() == "space"
    return float(added[is_space].mean()), float(added[~is_space].mean())


def test_more_lifts_what_the_words_mean_and_less_lowers_it(recommender):
    space, love = means(recommender, Taste(more=("space",)))
    assert space > 0 > love
    space, love = means(recommender, Taste(less=("space",)))
    assert space < 0 < love


def test_a_taste_in_words_moves_by_its_strength_whatever_was_said(recommender):
    for taste in (Taste(more=("space rocket",)), Taste(more=("space",), less=("love", "kiss"))):
        assert wishes(taste, recommender.item_vectors).std() == pytest.approx(STRENGTH, rel=1e-3)


def test_items_without_text_get_nothing(recommender):
    vectors = recommender.item_vectors.vectors.copy()
    vectors[3] = 0
    added = wishes(Taste(more=("space",)), replace(recommender.item_vectors, vectors=vectors))
    assert added[3] == 0
    assert np.count_nonzero(added) == len(vectors) - 1


@pytest.mark.parametrize("taste", [Taste(), Taste(muted=("i1",)), Taste(more=(" ",), less=("",))])
def test_a_taste_without_words_moves_nothing(recommender, taste):
    assert not wishes(taste, recommender.item_vectors).any()
