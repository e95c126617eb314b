"""What is learned from."""

from __future__ import annotations

import numpy as np
import polars as pl

from longtale.data.catalog import Catalog, TextField
from longtale.data.interactions import Histories
from longtale.data.vocabulary import Vocabulary
from longtale.encode.prompt import PromptSettings
from longtale.recommend.workshop.material import consecutive, titles_and_rest
from longtale.schema import Role


def test_pairs_follow_each_other_within_one_history(rng: np.random.Generator) -> None:
    histories = Histories.of([[0, 1, 2], [5], [7, 7, 8]])
    assert consecutive(histories, 100, rng).tolist() == [[0, 1], [1, 2], [7, 8]]


def test_no_more_pairs_are_drawn_than_asked_for(rng: np.random.Generator) -> None:
    histories = Histories.of([list(range(50))])
    drawn = consecutive(histories, 10, rng)
    assert len(drawn) == 10
    assert (drawn[:, 1] == drawn[:, 0] + 1).all()
    assert consecutive(Histories.of([[], [1]]), 10, rng).shape == (0, 2)


def test_a_title_goes_with_the_rest_of_its_text() -> None:
    fields = (TextField("title", Role.TITLE), TextField("plot", Role.DESCRIPTION))
    frame = pl.DataFrame({"title": ["Heat", "Jaws", None], "plot": ["A duel", None, "A storm"]})
    catalog = Catalog(Vocabulary.of(["a", "b", "c"], noun="item"), frame, fields)
    assert titles_and_rest(catalog, PromptSettings()) == [("Heat", "A duel")]
    only = Catalog(catalog.items, frame, fields[:1])
    assert titles_and_rest(only, PromptSettings()) == []
