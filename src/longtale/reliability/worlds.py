"""Trained bundles on which promises are tried; each is made when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.movielens import read_movielens_small
from longtale.data.synthetic import generated
from longtale.recommend.bundle import load, save
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import train
from longtale.seeds import generator

EDITION = "edition"
"""An attribute of all films that says which of two bundles an item comes from."""
SOURCES = ("popular", "rising", "item_knn", "ease", "semantic")
"""Retrievers that are trained in seconds, a rung of the ladder among them."""
FEW_SOURCES = ("popular", "semantic")
"""Those of the second edition, so that each slate shows which model made it."""


@dataclass(frozen=True)
class Size:
    """How large a generated world is."""

    n_users: int
    n_items: int
    n_events: int


_LITTLE = {"ease": {"max_items": 4_000}}
"""What lets the films be trained in seconds: with all of them EASE alone takes half a minute."""
N_USERS, N_ITEMS = 200, 300
SMALL = Size(N_USERS, N_ITEMS, 4_000)
LARGE = Size(50_000, 100_000, 1_000_000)


@dataclass
class Worlds:
    """Bundles in a folder.

    Args:
        folder: where they are written.
    """

    folder: Path

    @cached_property
    def small(self) -> Path:
        """Generated, for what does not depend on size."""
        return self.generated(SMALL)

    @cached_property
    def other_small(self) -> Path:
        """The same under another version."""
        bundle = self.folder / "other-small"
        save(replace(load(self.small), version="another"), bundle)
        return bundle

    @cached_property
    def films(self) -> Path:
        """The films that come with the package."""
        dataset = _edition(self._films, "first")
        return self._trained("films", dataset, trial_settings(SOURCES, **_LITTLE))

    @cached_property
    def other_films(self) -> Path:
        """The same films in another edition, whose model has other sources."""
        dataset = _edition(self._films, "second")
        return self._trained("other-films", dataset, trial_settings(FEW_SOURCES))

    @cached_property
    def large(self) -> Path:
        """Generated, of the size that the guarantees speak of."""
        return self.generated(LARGE)

    def generated(self, size: Size) -> Path:
        """Give a generated world of a size, trained anew."""
        dataset = generated(
            generator(0, "generated world"), size.n_users, size.n_items, size.n_events
        )
        name = f"generated-{size.n_items}-{size.n_events}"
        return self._trained(name, dataset, trial_settings(SOURCES))

    @cached_property
    def _films(self) -> Dataset:
        return read_movielens_small().dataset

    def _trained(self, name: str, dataset: Dataset, settings: LongtaleSettings) -> Path:
        bundle = self.folder / name
        save(train(dataset, settings, quality="fast"), bundle)
        return bundle


def trial_settings(sources: Sequence[str], **models: object) -> LongtaleSettings:
    """Give settings that need neither torch nor a language model."""
    return LongtaleSettings.parse(
        {"encode": {"model": "hashed"}, "models": {"use": list(sources), **models}}
    )


def _edition(dataset: Dataset, name: str) -> Dataset:
    catalog = dataset.catalog
    frame = catalog.frame.with_columns(pl.lit(name).alias(EDITION))
    return replace(dataset, catalog=Catalog(catalog.items, frame, catalog.text_fields))
