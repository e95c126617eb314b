"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.register_assert_rewrite("tests.contracts")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that draws the same in every run."""
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that asks for it carries the marker `realdata`."""
    folder = os.environ.get("LONGTALE_TEST_DATA")
    if folder is None:
        pytest.skip("LONGTALE_TEST_DATA names no folder of real data")
    return Path(folder)
