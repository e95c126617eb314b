"""A picture of calibration: what was promised across, what happened upwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from longtale.errors import DataError, MissingExtraError
from longtale.rank.calibration import Reliability

_FORMATS = (".png", ".svg", ".pdf")


def plot_reliability(tables: Mapping[str, Reliability], path: Path) -> Path:
    """Draw the reliability of each model; what keeps its word lies on the diagonal.

    Args:
        tables: by the name of the model.
        path: where the picture goes; its ending, png, svg or pdf, says the format.

    Returns:
        `path`.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the ending is unknown.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "matplotlib", extra="plots", purpose="drawing how well probabilities hold"
        ) from None
    if path.suffix not in _FORMATS:
        raise DataError(f"cannot draw to '{path}': its ending must be one of {', '.join(_FORMATS)}")
    figure = Figure(figsize=(5, 5), layout="constrained")  # no window, no global state
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#DDDDDD", zorder=1)
    for name, table in tables.items():
        label = f"{name}, ECE {table.error:.3f}"
        axes.plot(table.predicted, table.happened, marker="o", markersize=4, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted", ylabel="happened", aspect="equal")
    axes.legend(frameon=False, loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    return path
