"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.contracts")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that asks for it carries the marker `realdata`."""
    folder = os.environ.get("LONGTALE_TEST_DATA")
    if folder is None:
        pytest.skip("LONGTALE_TEST_DATA names no folder of real data")
    return Path(folder)
