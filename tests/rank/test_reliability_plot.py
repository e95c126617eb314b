from __future__ import annotations

import numpy as np
import pytest

from longtale.errors import DataError
from longtale.rank.calibration import Reliability
from longtale.rank.reliability_plot import plot_reliability

pytest.importorskip("matplotlib")
TABLE = Reliability.of(np.array([0.1, 0.4, 0.9]), np.array([0, 0, 1]), n_bins=3)


def test_the_picture_names_each_model_and_its_error(tmp_path):
    path = plot_reliability({"trees": TABLE, "network": TABLE}, tmp_path / "new" / "plot.svg")
    assert path.stat().st_size > 0
    assert TABLE.counts.sum() == 3


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must be one of \.png, \.svg, \.pdf"):
        plot_reliability({"trees": TABLE}, tmp_path / "plot.gif")
