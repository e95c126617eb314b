"""Two processes train one net."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

# Each process has half of the 20 users in its one step, who all have as much to say.
CODE = """
import sys
import numpy as np
from torch import distributed
from longtale.data.synthetic import dataset_of
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import SequenceSettings

folder, rank, world = sys.argv[1], *map(int, sys.argv[2:])
if world > 1:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world
    )
events = np.random.default_rng(0).integers(15, size=(20, 6)).tolist()
settings = SequenceSettings(width=8, batch_size=20 // world, epochs=5, dropout=0, full_epochs=5)
fitted = SequenceRetriever.fit(dataset_of(events, n_items=15), settings)
np.save(f"{folder}/{world}-{rank}.npy", fitted.items)
if world > 1:
    distributed.destroy_process_group()
"""


def started(folder: Path, rank: int, world: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CODE, str(folder), str(rank), str(world)])


def test_two_processes_learn_what_one_learns_from_both_their_shares(tmp_path):
    running = [started(tmp_path, *place) for place in ((0, 2), (1, 2), (0, 1))]
    assert [process.wait(timeout=300) for process in running] == [0, 0, 0]
    first, second, alone = (np.load(tmp_path / f"{name}.npy") for name in ("2-0", "2-1", "1-0"))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, alone, rtol=1e-3, atol=1e-5)
