"""Real data sets are understood without being described, and read in full."""

from __future__ import annotations

import pytest

from longtale.data.inference.infer import infer
from longtale.data.intake.prepare import read_dataset

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize(
    ("name", "n_users", "n_items", "n_events", "has_times"),
    [
        ("ml-1m", 6_040, 3_883, 1_000_209, False),
        ("ml-latest-small", 610, 9_742, 100_836, True),
        ("amazon-beauty", 22_363, 12_101, 198_502, False),
        ("amazon-scientific", 8_317, 4_344, 58_492, False),
    ],
)
def test_counts_are_as_published(real_data, name, n_users, n_items, n_events, has_times):
    intake = read_dataset(infer(real_data / name).settings, real_data / name)
    dataset = intake.dataset
    assert (dataset.n_users, dataset.n_items) == (n_users, n_items)
    assert len(dataset.interactions) == n_events
    assert dataset.has_times == has_times
    assert sum(table.n_quarantined for table in intake.report.tables) == 0
