"""Models of `cornac`: EASE, BPR; only EASE is asked with the history of the request."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from cornac.data import Dataset
from cornac.models import BPR, EASE
from task import Model, Scores, Task, main


def dataset(task: Task) -> Dataset:
    known = task.train().tocoo()
    n_users = known.shape[0]
    users, items = (OrderedDict((row, row) for row in range(n)) for n in (n_users, task.n_items))
    ones = np.ones(known.nnz, dtype=np.float64)
    triplets = (known.row.astype(np.int64), known.col.astype(np.int64), ones)
    return Dataset(n_users, task.n_items, users, items, triplets, seed=0)


def ease(task: Task, **settings: float) -> Scores:
    model = EASE(posB=False, verbose=False, **settings).fit(dataset(task))
    queries = task.queries()
    return lambda requests: queries[requests] @ model.B


def bpr(task: Task, **settings: float) -> Scores:
    model = BPR(k=64, max_iter=200, seed=0, **settings).fit(dataset(task))
    return lambda requests: np.stack([model.score(int(user)) for user in task.users[requests]])


MODELS = {
    "EASE": Model(ease, [{"lamb": 100}]),
    "BPR": Model(bpr, [{"learning_rate": rate, "lambda_reg": 0.01} for rate in (0.02, 0.05, 0.1)]),
}

if __name__ == "__main__":
    main(MODELS)
