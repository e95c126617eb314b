from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from longtale.data.catalog import Catalog
from longtale.data.synthetic import cold_twin
from longtale.data.vocabulary import Vocabulary
from longtale.recommend.pipeline import Recommender
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import train

STRANGE_IDS = ("id with spaces", "🎬🍿", "سلام-עולם", "a/b?c=d&e", "'quoted' \"twice\"")


@pytest.fixture(scope="session")
def settings() -> LongtaleSettings:
    """Everything real but the encoder, which needs no language model."""
    return LongtaleSettings.parse(
        {"encode": {"model": "hashed"}, "models": {"als": {"factors": 8}}}
    )


@pytest.fixture(scope="session")
def recommender(settings: LongtaleSettings) -> Recommender:
    """40 users, 20 items of two kinds; item 19 is untouched and has the title of a popular one."""
    dataset = cold_twin(np.random.default_rng(1))
    n_items, n_users = dataset.n_items, dataset.n_users
    ids = [*dataset.items.ids.head(n_items - 6), *STRANGE_IDS, "twin"]
    users = Vocabulary.of([f"user {row}" for row in range(n_users)], noun="user")
    late = datetime(2100, 1, 1, tzinfo=UTC)
    frame = dataset.catalog.frame.with_columns(
        year=pl.Series(range(1980, 1980 + n_items)),
        hidden=pl.Series([row == 3 for row in range(n_items)]),
        available_from=pl.Series(
            [late if row == 4 else None for row in range(n_items)], dtype=pl.Datetime("us", "UTC")
        ),
    )
    catalog = Catalog(Vocabulary.of(ids, noun="item"), frame, dataset.catalog.text_fields)
    named = type(dataset)(**{**vars(dataset), "users": users, "catalog": catalog})
    return train(named, settings)
