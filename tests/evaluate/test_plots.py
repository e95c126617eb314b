"""Pictures that hold every model, in each format, and say what cannot be drawn."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from tests.evaluate.worlds import report_of

from longtale.errors import DataError, MissingExtraError

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def report():
    return report_of()


@pytest.fixture
def plots():
    pytest.importorskip("matplotlib")
    from longtale.evaluate import plots

    return plots


@pytest.mark.parametrize("ending", STARTS)
def test_slices_are_drawn_in_each_format(report, plots, tmp_path, ending):
    path = plots.plot_slices(report, tmp_path / "new folder" / f"slices{ending}")
    assert path.read_bytes().startswith(STARTS[ending])


def test_picture_names_every_model_and_slice(report, plots, tmp_path, monkeypatch):
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    text = plots.plot_slices(report, tmp_path / "slices.svg", metric="recall@2").read_text()
    for name in (*report.models, *report.slices, "recall@2", "Protocol time"):
        assert name in text


def test_model_without_a_value_leaves_its_place_empty(report, plots, tmp_path):
    path = plots.plot_slices(report, tmp_path / "slices.png", metric="novelty@2")
    assert path.stat().st_size > 1000


def test_trade_off_is_drawn(report, plots, tmp_path):
    path = plots.plot_trade_off(report, tmp_path / "x.png", across="coverage@2", up="ndcg@2")
    assert path.read_bytes().startswith(STARTS[".png"])


def test_unknown_metric_is_refused(report, plots, tmp_path):
    with pytest.raises(DataError, match=r"no metric 'ndgc@2'.*did you mean 'ndcg@2'"):
        plots.plot_slices(report, tmp_path / "x.png", metric="ndgc@2")
    with pytest.raises(DataError, match="no metric 'coverage@10'"):
        plots.plot_trade_off(report, tmp_path / "x.png")


def test_unknown_ending_is_refused(report, plots, tmp_path):
    with pytest.raises(DataError, match=r"its ending must be one of \.png, \.svg, \.pdf"):
        plots.plot_slices(report, tmp_path / "slices.gif")


def test_missing_matplotlib_is_named_with_its_extra(report, plots, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtale\[plots\]'"):
        plots.plot_slices(report, tmp_path / "slices.png")


def test_no_value_lies_outside_the_picture(report, plots, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "_save", lambda figure, *rest: drawn.append(figure))
    results = [replace(r, high=7.0) if r.slice.endswith("users") else r for r in report.results]
    plots.plot_slices(replace(report, results=tuple(results)), tmp_path / "slices.png")
    assert all(axes.get_xlim()[1] > 7 for axes in drawn[0].axes)
