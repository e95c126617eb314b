from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest

from longtale.data.dataset import Dataset
from longtale.data.synthetic import generated
from longtale.reliability.bench import Bench
from longtale.reliability.scale import QUICK
from longtale.reliability.worlds import Worlds
from longtale.seeds import generator

TINY = replace(
    QUICK,
    n_kills=2,
    n_power_losses=30,
    n_events=60,
    n_batches=4,
    load_s=0.4,
    overload_s=1.5,
    n_bulk=2_000,
    n_singles=8,
    n_writes=8,
    n_new_items=1,
    n_slates=100,
    n_malformed=120,
    n_swaps=2,
    n_flips=30,
    n_texts=52,
    n_explained=4,
)


@dataclass
class TinyWorlds(Worlds):
    """Worlds in which the films are few, and made up."""

    @cached_property
    def _films(self) -> Dataset:
        return generated(generator(0, "tiny films"), 120, 200, 2_400)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A place for trials in which little is tried of each."""
    folder: Path = tmp_path_factory.mktemp("worlds")
    return Bench(TINY, TinyWorlds(folder))
