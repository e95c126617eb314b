"""MovieLens latest-small, the real catalogue that comes with the package.

F. Maxwell Harper and Joseph A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4),
2015; its terms are in the README.txt beside the files.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from longtale.data.catalog import Catalog
from longtale.data.intake.mapping import DataSettings, EventSource, ItemSource, TagSource
from longtale.data.intake.prepare import Intake, read_dataset

MOVIELENS_SMALL = Path(__file__).parent / "movielens_small"
"""Folder of the files as GroupLens publishes them."""
YEAR = "year"
_NO_GENRES = "(no genres listed)"


def movielens_small_settings() -> DataSettings:
    """Give what the columns of the bundled files mean; every rating counts as interest."""
    return DataSettings(
        events=EventSource(
            source="ratings.csv", user="userId", item="movieId", time="timestamp", value="rating"
        ),
        items=ItemSource(source="movies.csv", id="movieId", title=("title",), category=("genres",)),
        tags=TagSource(source="tags.csv", item="movieId", tag="tag", time="timestamp"),
    )


def read_movielens_small() -> Intake:
    """Read the bundled files: 610 users, 9,742 films, 100,836 ratings, 3,683 tags.

    Example:
        >>> read_movielens_small().dataset.n_items
        9742
    """
    intake = read_dataset(movielens_small_settings(), MOVIELENS_SMALL)
    dataset = intake.dataset
    return replace(intake, dataset=replace(dataset, catalog=with_year(dataset.catalog)))


def with_year(catalog: Catalog) -> Catalog:
    """Read the year out of titles such as `Toy Story (1995)`; "no genres" becomes null."""
    year = pl.col("title").str.extract(r"\((\d{4})\)\s*$").cast(pl.Int64).alias(YEAR)
    genres = pl.when(pl.col("genres") != _NO_GENRES).then(pl.col("genres")).alias("genres")
    return replace(catalog, frame=catalog.frame.with_columns(year, genres))
