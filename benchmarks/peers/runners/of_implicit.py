"""Models of `implicit`: item neighbours, iALS, BPR."""

from __future__ import annotations

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from task import Model, Scores, Task, main
from threadpoolctl import threadpool_limits

threadpool_limits(1)


def bm25(task: Task, **settings: float) -> Scores:
    return _neighbours(BM25Recommender(num_threads=1, **settings), task)


def cosine(task: Task, **settings: float) -> Scores:
    return _neighbours(CosineRecommender(num_threads=1, **settings), task)


def _neighbours(model: BM25Recommender | CosineRecommender, task: Task) -> Scores:
    model.fit(task.train(), show_progress=False)
    queries = task.queries()
    return lambda requests: (queries[requests] @ model.similarity).toarray()


def als(task: Task, **settings: float) -> Scores:
    """Users are folded in from the history of the request."""
    model = AlternatingLeastSquares(
        iterations=15, use_gpu=False, num_threads=1, random_state=0, **settings
    )
    model.fit(task.train(), show_progress=False)
    queries = task.queries()

    def scores(requests: np.ndarray) -> np.ndarray:
        users = model.recalculate_user(task.users[requests], queries[requests])
        return users @ model.item_factors.T

    return scores


def bpr(task: Task, **settings: float) -> Scores:
    """It has no fold-in: users are answered by what they did in the training data."""
    model = BayesianPersonalizedRanking(
        factors=64, iterations=200, use_gpu=False, num_threads=1, random_state=0, **settings
    )
    model.fit(task.train(), show_progress=False)
    return lambda requests: model.user_factors[task.users[requests]] @ model.item_factors.T


MODELS = {
    "BM25 item-kNN": Model(
        bm25, [{"K": 20}, *({"K": k, "B": b} for k in (100, 500) for b in (0.05, 0.25, 0.75))]
    ),
    "cosine item-kNN": Model(cosine, [{"K": 20}, {"K": 100}, {"K": 500}]),
    "iALS": Model(
        als,
        [
            {"factors": 128, "alpha": alpha, "regularization": regularization}
            for alpha, regularization in ((10, 3), (10, 10), (10, 50), (40, 30))
        ],
    ),
    "BPR": Model(
        bpr,
        [{"learning_rate": 0.05, "regularization": strength} for strength in (0.01, 0.05, 0.1)],
    ),
}

if __name__ == "__main__":
    main(MODELS)
