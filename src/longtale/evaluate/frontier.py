"""The frontier of a dial: what each turn of it costs in accuracy, and what it brings.

The dial changes scores that are there already, so every turn is measured on the same scores, and
the differences are those of the dial alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.data.splits.folds import Fold
from longtale.errors import DataError, MissingExtraError
from longtale.evaluate import accuracy, beyond_accuracy
from longtale.evaluate.accuracy import TargetRanks, Values, rankable, ranks_in

_FORMATS = (".png", ".svg", ".pdf")

Turned = Callable[[float, Floats, Mask], Floats]
"""Gives the scores (B, N) at one turn of the dial from those at rest, which it leaves alone, and
from which items cannot come (B, N)."""


@dataclass(frozen=True, eq=False)
class Point:
    """What the lists are like at one turn of the dial.

    Args:
        model: which model was turned.
        turn: of the dial, 0 is at rest.
        ndcg: mean nDCG at k.
        tail_recall: recall at k of the users whose targets are of the tail, these targets only.
        tail_share: share of the places that items of the tail fill.
        coverage: share of the catalogue that stands in some list.
        gini: how unequally places fall on items.
        n_tail: users with a target of the tail.
        ndcg_per_user: (B,).
    """

    model: str
    turn: float
    ndcg: float
    tail_recall: float
    tail_share: float
    coverage: float
    gini: float
    n_tail: int
    ndcg_per_user: Values = field(repr=False)


def bottom_items(counts: NDArray[np.integer], share: float = 0.8) -> Mask:
    """Say which items are the tail: the least touched `share` of them, bool (N,).

    Items of equal count are all in it or all not, so it may be more than the share, never less.

    Example:
        >>> bottom_items(np.array([9, 5, 1, 1, 0]), 0.6).tolist()
        [False, False, True, True, True]
    """
    if not len(counts):
        return np.zeros(0, dtype=np.bool_)
    last = int(np.ceil(share * len(counts))) - 1
    return np.asarray(counts <= np.sort(counts)[last]) if last >= 0 else counts < 0


def frontier(
    scored: Callable[[Queries], Mapping[str, Floats]],
    turned: Turned,
    turns: Sequence[float],
    fold: Fold,
    is_tail: Mask,
    *,
    model: str = "blend",
    k: int = 10,
) -> list[Point]:
    """Measure one model at every turn of a dial, and all others at rest.

    Args:
        scored: gives each model's float32 (B, N) by name, NaN where it cannot say.
        turned: the dial.
        turns: at which it is measured.
        fold: who asks, and what they came to want.
        is_tail: bool (N,), see `bottom_items`.
        model: whose scores are turned.
        k: length of the lists.

    Returns:
        the others at rest, in the order in which they come; then the model, turn by turn.
    """
    ranks: dict[tuple[str, float], list[TargetRanks]] = {}
    lists: dict[tuple[str, float], list[Rows]] = {}
    asked = fold.take(np.flatnonzero(fold.targets.lengths > 0))
    for batch in asked.batches():
        found = scored(batch.queries)
        masked = batch.seen.toarray() != 0
        others = [((name, 0.0), own) for name, own in found.items() if name != model]
        own = (((model, turn), turned(turn, found[model], masked)) for turn in turns)
        for key, scores in chain(others, own):
            values = rankable(scores, masked=batch.seen, ranked=fold.ranked)
            ranks.setdefault(key, []).append(ranks_in(values, batch.targets))
            lists.setdefault(key, []).append(Candidates.best(values, k).items)
    shown = np.ones(len(is_tail), dtype=np.bool_) if fold.ranked is None else fold.ranked
    facts = _Facts(is_tail, is_tail[asked.targets.items], shown, k)
    return [
        _point(key, TargetRanks.concatenated(own), np.concatenate(lists[key]), facts)
        for key, own in ranks.items()
    ]


@dataclass(frozen=True, eq=False)
class _Facts:
    """Which items are of the tail (N,), which targets (n,), which items are ranked (N,), and k."""

    is_tail: Mask
    of_tail: Mask
    ranked: Mask
    k: int


def _point(key: tuple[str, float], ranks: TargetRanks, lists: Rows, facts: _Facts) -> Point:
    per_user = accuracy.ndcg(ranks, facts.k)
    recalls = accuracy.recall(ranks.where(facts.of_tail), facts.k)
    exposure = beyond_accuracy.exposures(lists, len(facts.is_tail))[facts.ranked]
    return Point(
        *key,
        ndcg=_mean(per_user),
        tail_recall=_mean(recalls),
        tail_share=_mean(beyond_accuracy.tail_share(lists, facts.is_tail)),
        coverage=beyond_accuracy.coverage(exposure),
        gini=beyond_accuracy.gini(exposure),
        n_tail=int(np.count_nonzero(~np.isnan(recalls))),
        ndcg_per_user=per_user,
    )


def _mean(values: Values) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def plot_frontier(points: Sequence[Point], path: Path, *, title: str) -> Path:
    """Draw accuracy against the share of the tail, and recall of the tail against coverage.

    Args:
        points: what `frontier` gave; a model that is there more than once is drawn as a line.
        path: where the picture goes; its ending, png, svg or pdf, says the format.
        title: what was measured.

    Returns:
        `path`.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the ending is unknown.
    """
    if path.suffix not in _FORMATS:
        raise DataError(f"cannot draw to '{path}': its ending must be one of {', '.join(_FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", extra="plots", purpose="drawing a frontier") from None
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")  # no window, no global state
    panels = figure.subplots(1, 2)
    axes_of = (("tail_share", "ndcg"), ("coverage", "tail_recall"))
    for axes, (across, up) in zip(panels, axes_of, strict=True):
        for name in dict.fromkeys(point.model for point in points):
            own = [point for point in points if point.model == name]
            x, y = ([getattr(point, field) for point in own] for field in (across, up))
            axes.plot(x, y, marker="o", markersize=4, label=name)
            for point, a, b in zip(own, x, y, strict=True):
                if len(own) > 1:
                    axes.annotate(f"{point.turn:g}", (a, b), fontsize=7)
        axes.set_xlabel(across.replace("_", " "))
        axes.set_ylabel(up.replace("_", " "))
        axes.set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    return path
