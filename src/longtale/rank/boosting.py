"""Boosted trees by LightGBM, which is loaded only where trees are grown or asked.

Ke et al. 2017, "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (NeurIPS).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats

if TYPE_CHECKING:
    from lightgbm import Booster


_FEW_ROWS = 20_000  # threads that wait for each other take longer than the work


@dataclass(frozen=True, eq=False)
class Table:
    """What trees learn from.

    Args:
        features: float32 (R, F), NaN where unknown.
        labels: float32 (R,).
        sizes: int64 (G,), rows of each request, one under the other; None where rows stand alone.
        begun: float64 (R,), scores that the trees add to; None is 0.
    """

    features: Floats
    labels: Floats
    sizes: NDArray[np.int64] | None = None
    begun: NDArray[np.float64] | None = None


def boosted(
    learned: Table,
    choosing: Table | None,
    parameters: Mapping[str, Any],
    n_trees: int,
    *,
    patience: int = 0,
) -> Booster:
    """Grow trees; the same rows, parameters and threads give the same trees.

    Args:
        learned: what they learn from.
        choosing: rows that say when to stop; None grows all trees.
        parameters: LightGBM's.
        n_trees: at most.
        patience: how many trees without gain on `choosing` end the growth.
    """
    import lightgbm

    settled = {"deterministic": True, "force_row_wise": True, "verbosity": -1, **parameters}
    if len(learned.features) < _FEW_ROWS:
        settled["num_threads"] = 1
    data = _dataset(lightgbm, learned, None)
    valid = [] if choosing is None else [_dataset(lightgbm, choosing, data)]
    callbacks: list[Callable[..., Any]] = []
    if valid:
        callbacks.append(lightgbm.early_stopping(patience, verbose=False))
    return lightgbm.train(settled, data, n_trees, valid_sets=valid, callbacks=callbacks)


def booster_of(model: str) -> Booster:
    """Give trees back from LightGBM's text of them."""
    import lightgbm

    return lightgbm.Booster(model_str=model)


def _dataset(lightgbm: Any, table: Table, reference: Any) -> Any:
    return lightgbm.Dataset(
        table.features,
        table.labels,
        group=table.sizes,
        init_score=table.begun,
        reference=reference,
        params={"verbosity": -1},
    )
