"""Models of `irspack`: EASE (there DenseSLIM), iALS, two random walks, SLIM."""

from __future__ import annotations

import os

os.environ["IRSPACK_NUM_THREADS_DEFAULT"] = "1"

from irspack import (
    DenseSLIMRecommender,
    IALSRecommender,
    P3alphaRecommender,
    RP3betaRecommender,
    SLIMRecommender,
)
from task import Model, Scores, Task, main


def _fitter(recommender: type, **fixed: object) -> object:
    def fit(task: Task, **settings: object) -> Scores:
        model = recommender(task.train().astype("float64"), **fixed, **settings)
        model.learn()
        queries = task.queries().astype("float64")
        return lambda requests: model.get_score_cold_user(queries[requests])

    return fit


MODELS = {
    # It copies its whole matrix at each call: many requests at once are kinder to it.
    "EASE": Model(
        _fitter(DenseSLIMRecommender), [{"reg": reg} for reg in (30, 100, 300)], batch=4096
    ),
    "iALS": Model(
        _fitter(IALSRecommender, n_components=128, random_seed=0),
        [
            {"alpha0": alpha0, "reg": reg}
            for alpha0, reg in ((0.1, 0.001), (0.1, 0.003), (0.03, 0.001), (0.03, 0.003))
        ],
    ),
    # On events without weights alpha decides nothing in P3alpha.
    "P3alpha": Model(
        _fitter(P3alphaRecommender),
        [{"normalize_weight": is_so, "top_k": k} for is_so in (True, False) for k in (100, 1000)],
    ),
    "RP3beta": Model(
        _fitter(RP3betaRecommender, top_k=1000),
        [
            {"normalize_weight": is_so, "beta": beta}
            for is_so in (True, False)
            for beta in (0.1, 0.2, 0.4)
        ],
    ),
    "SLIM": Model(
        _fitter(SLIMRecommender),
        [{"alpha": alpha, "l1_ratio": 0.1} for alpha in (1e-4, 3e-4, 1e-3)],
    ),
}

if __name__ == "__main__":
    main(MODELS)
