"""What changes between trainings: new items are placed, new events are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl

from longtale.arrays import microseconds
from longtale.blend.hybrid import Hybrid
from longtale.contracts import Updatable
from longtale.data.arrivals import Arrivals, appended
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.event import EventKind
from longtale.data.live import Live
from longtale.data.vocabulary import Vocabulary
from longtale.errors import DataError
from longtale.recommend.assemble import grown, read_again
from longtale.recommend.item_vectors import ItemVectors


def new_items(catalog: Catalog, frame: pl.DataFrame, ids: str) -> Catalog:
    """Give a catalogue with new items behind its own.

    Args:
        catalog: what is known.
        frame: one row per new item; columns named as in the catalogue.
        ids: the column that holds the new ids.

    Raises:
        DataError: an id is there already, or there is no such column.
    """
    if ids not in frame.columns:
        raise DataError(f"no column '{ids}' among {frame.columns}; name the column of the ids")
    own = frame[ids].cast(pl.String)
    known = own.filter(own.is_in(catalog.items.ids.implode()))
    if len(known):
        raise DataError(f"items {known.head(3).to_list()} are in the catalogue already")
    return catalog.extended(Catalog(Vocabulary(own, "item"), frame.drop(ids)))


def with_catalog(
    dataset: Dataset, item_vectors: ItemVectors, hybrid: Hybrid, catalog: Catalog
) -> tuple[Dataset, ItemVectors, Hybrid]:
    """Let all parts know a catalogue that has grown; nothing is trained."""
    vectors = item_vectors.extended(catalog)
    dataset = replace(dataset, catalog=catalog)
    retrievers = tuple(grown(r, vectors.vectors, catalog) for r in hybrid.retrievers)
    return dataset, vectors, Hybrid(retrievers, hybrid.blender.knowing(dataset))


def with_changes(
    dataset: Dataset, item_vectors: ItemVectors, hybrid: Hybrid, frame: pl.DataFrame, ids: str
) -> tuple[Dataset, ItemVectors, Hybrid]:
    """Let all parts know new descriptions of known items; see `Recommender.with_changes`."""
    if ids not in frame.columns:
        raise DataError(f"no column '{ids}' among {frame.columns}; name the column of the ids")
    rows = [dataset.items.row(item) for item in frame[ids].cast(pl.String)]
    catalog = dataset.catalog.described_anew(rows, frame.drop(ids))
    dataset = replace(dataset, catalog=catalog)
    vectors = item_vectors.read_again(catalog, rows)
    retrievers = tuple(read_again(r, vectors.vectors) for r in hybrid.retrievers)
    return dataset, vectors, replace(hybrid, retrievers=retrievers)


def read_arrivals(
    dataset: Dataset,
    users: Sequence[str],
    items: Sequence[str],
    kinds: Sequence[str] | None,
    times: Sequence[datetime] | None,
    known_kinds: Sequence[EventKind],
) -> Arrivals:
    """Turn events as they come from outside into rows; see `Recommender.with_events`."""
    moments = [datetime.now(UTC)] * len(users) if times is None else times
    return Live(dataset).read(
        users,
        items,
        kinds=[dataset.kinds[0]] * len(users) if kinds is None else kinds,
        known_kinds={kind.name: kind for kind in known_kinds},
        times=np.array([microseconds(moment) for moment in moments], dtype=np.int64),
    )


def with_arrivals(dataset: Dataset, hybrid: Hybrid, events: Arrivals) -> tuple[Dataset, Hybrid]:
    """Let all parts know new events: each learns what it can without being trained.

    Popularity and neighbours count them exactly or nearly so, item factors take a step; what must
    be trained stays, and reads the new history all the same.
    """
    dataset = appended(dataset, events)
    retrievers = tuple(
        r.updated(dataset, events) if isinstance(r, Updatable) else r for r in hybrid.retrievers
    )
    return dataset, Hybrid(retrievers, hybrid.blender.knowing(dataset))
