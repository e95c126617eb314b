"""What words alone find in real abstracts, within a band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from longtale.arrays import Floats
from longtale.data.catalog import Catalog, TextField
from longtale.data.vocabulary import Vocabulary
from longtale.schema import Role
from longtale.search.lexical import LexicalIndex
from longtale.search.spelling import Speller

DISCOUNTS = 1 / np.log2(2 + np.arange(10))


def mean_ndcg(scores: Floats, gains: Floats) -> float:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    found = np.take_along_axis(gains, best, axis=1) @ DISCOUNTS
    return float((found / (-np.sort(-gains, axis=1)[:, :10] @ DISCOUNTS)).mean())


@pytest.mark.realdata
def test_words_find_abstracts_as_well_as_ever_and_spelling_leaves_queries_alone(
    real_data: Path,
) -> None:
    folder = real_data / "cranfield"
    items, queries, judged = (
        pl.read_parquet(folder / f"{name}.parquet") for name in ("items", "queries", "judgements")
    )
    fields = (TextField("title", Role.TITLE), TextField("text", Role.DESCRIPTION))
    ids = items["item_id"].cast(pl.String)
    index = LexicalIndex.of(Catalog(Vocabulary(ids, "item"), items.drop("item_id"), fields))
    gains = np.zeros((len(queries), len(items)), dtype=np.float32)
    for query, item, grade in judged.iter_rows():
        gains[query - 1, item - 1] = 5 - grade if grade > 0 else 0
    texts = queries["text"].to_list()
    found = mean_ndcg(np.stack([index.scores(text) for text in texts]), gains)
    assert 0.375 < found < 0.395
    speller = Speller.of(index)
    corrected = [speller.corrected(text).text for text in texts]
    assert np.mean([one != other for one, other in zip(texts, corrected, strict=True)]) < 0.1
