"""Pictures of a report: a metric by slice with intervals, accuracy against what lies beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from longtale.errors import DataError, MissingExtraError
from longtale.evaluate.report import Report, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Told apart also by the colour-blind: Okabe and Ito, 2008, with purple for their yellow.
_COLOURS = (
    "#D55E00",
    "#595959",
    "#56B4E9",
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#5D3A9B",
)
_MARKERS = "osD^vPXp"
_INK = "#1A1A1A"
_PALE = "#DDDDDD"
_FORMATS = (".png", ".svg", ".pdf")


def plot_slices(report: Report, path: Path, *, metric: str | None = None) -> Path:
    """Draw one metric of every model in every slice, with its interval.

    Slices of items stand on the left, those of users on the right.

    Args:
        report: what was measured.
        path: where the picture goes; its ending, png, svg or pdf, says the format.
        metric: such as `ndcg@10`; None is the first of the report.

    Returns:
        `path`.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the report does not hold the metric, or the ending is unknown.
    """
    metric = report.metrics[0] if metric is None else metric
    results = [result for result in report.results if result.metric == metric]
    if not results:
        raise DataError(report.missing(report.models[0], "all", metric))
    names = dict.fromkeys(result.slice for result in results)
    of_items = [name for name in names if name == "all" or name.endswith("-items")]
    columns = [of_items, [name for name in names if name not in of_items]]
    columns = [column for column in columns if column]
    rows = max(len(column) for column in columns)
    height = 1.1 + rows * (0.25 + 0.1 * len(report.models))
    figure, panels = _figure(1.6 + 4.0 * len(columns), height, len(columns))
    for axes, column in zip(panels, columns, strict=True):
        _draw_slices(axes, column, results, report.models)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_xlabel(f"{metric} with its bootstrap interval")
    panels[0].set_xlim(left=0)  # of all panels, once everything is drawn
    return _save(figure, panels[0], report, path)


def plot_trade_off(
    report: Report, path: Path, *, across: str = "coverage@10", up: str = "ndcg@10"
) -> Path:
    """Draw each model as a point: accuracy upwards, what lies beyond it across.

    Args:
        report: what was measured.
        path: where the picture goes; its ending, png, svg or pdf, says the format.
        across: such as `coverage@10` or `tail_share@10`.
        up: such as `ndcg@10`.

    Returns:
        `path`.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the report does not hold one of the metrics, or the ending is unknown.
    """
    figure, (axes,) = _figure(7.0, 4.2, 1)
    for number, model in enumerate(report.models):
        x, y = report.find(model, across), report.find(model, up)
        colour = _draw_points(axes, [x.value], [y.value], model, number, size=9)
        axes.errorbar(
            [x.value], [y.value], xerr=_reach([x]), yerr=_reach([y]), fmt="none", ecolor=colour
        )
    axes.margins(0.08)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(color=_PALE, linewidth=0.6)
    return _save(figure, axes, report, path)


def _draw_slices(
    axes: Axes, names: Sequence[str], results: Sequence[Result], models: Sequence[str]
) -> None:
    for number, model in enumerate(models):
        own = [r for r in results if r.model == model and r.slice in names]
        offset = 0.8 * ((number + 0.5) / len(models) - 0.5)
        places = [names.index(r.slice) + offset for r in own]
        values = [r.value for r in own]
        colour = _draw_points(axes, values, places, model, number, size=5)
        axes.errorbar(values, places, xerr=_reach(own), fmt="none", ecolor=colour)
    sizes = {r.slice: r.n for r in results}
    axes.set_yticks(range(len(names)), [f"{name}\nn = {sizes[name]:,}" for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=_PALE, linewidth=0.6)
    for edge in range(1, len(names)):
        axes.axhline(edge - 0.5, color=_PALE, linewidth=1.0)


def _draw_points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    model: str,
    number: int,
    *,
    size: float,
) -> str:
    """Draw one model's points and give its colour; the tenth model has a pair of its own too."""
    colour = _COLOURS[number % len(_COLOURS)]
    marker = _MARKERS[(number + number // len(_COLOURS)) % len(_MARKERS)]
    axes.plot(
        x,
        y,
        label=model,
        color=colour,
        marker=marker,
        markersize=size,
        markeredgecolor="white",
        markeredgewidth=0.5,
        linestyle="none",
        zorder=3,
    )
    return colour


def _reach(results: Sequence[Result]) -> NDArray[np.float64]:
    """Give how far each interval reaches below and above its value, (2, n); 0 without one."""
    below = [r.value - r.low for r in results]
    above = [r.high - r.value for r in results]
    return np.maximum(np.nan_to_num([below, above]), 0.0)


def _figure(width: float, height: float, n_panels: int) -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", extra="plots", purpose="drawing a report") from None
    figure = Figure(figsize=(width, height), layout="constrained")  # no window, no global state
    panels = list(figure.subplots(1, n_panels, sharex=True, squeeze=False)[0])
    for axes in panels:
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(colors=_INK)
        axes.set_axisbelow(True)
    return figure, panels


def _save(figure: Figure, axes: Axes, report: Report, path: Path) -> Path:
    if path.suffix not in _FORMATS:
        raise DataError(f"cannot draw to '{path}': its ending must be one of {', '.join(_FORMATS)}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    title = f"Protocol {report.protocol.name}, {report.n_requests:,} requests"
    axes.set_title(title, loc="left", color=_INK, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    return path
