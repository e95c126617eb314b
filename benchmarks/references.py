"""EASE and iALS of Longtale beside those of `implicit` and `irspack`, on one split of one data set.

    python benchmarks/references.py FOLDER [--peer-python PYTHON]

FOLDER holds `events.parquet` with the columns user_id, item_id and position, -1 where it is
unknown. The last event of each user is the target, all before it train; full ranking, seen items
masked, ties count half. `irspack` is run on the same matrix by the Python named, one of an
environment with irspack 0.5.2. `implicit` begins from the same random factors and scores with the
users' vectors of its last iteration, where Longtale solves for them from the history.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse
from threadpoolctl import threadpool_limits

from longtale.arrays import Floats, offsets_of
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of
from longtale.models.als import ALS, ALSSettings
from longtale.models.ease import EASE, EASESettings

EASE_SETTINGS = EASESettings(l2=300, kept=10**6, half_life=None)
ALS_SETTINGS = ALSSettings(factors=64, regularization=10, alpha=10, iterations=15, half_life=None)
BAND = 0.02
"""Relative difference from a peer that is allowed."""

PEER = """
import sys
import numpy as np
from scipy import sparse
from irspack import DenseSLIMRecommender

matrix = sparse.load_npz(sys.argv[1])
model = DenseSLIMRecommender(matrix.astype(np.float64), reg=float(sys.argv[3])).learn()
np.save(sys.argv[2], np.asarray(model.get_score(np.arange(matrix.shape[0])), dtype=np.float32))
"""

Score = Callable[[np.ndarray], Floats]
"""From user rows (B,) to scores (B, N)."""


def leave_one_out(folder: Path) -> tuple[Dataset, np.ndarray]:
    """Give what trains, and the item row of each user's last event."""
    events = pl.read_parquet(folder / "events.parquet")
    events = events.filter(pl.col("position") >= 0).sort("user_id", "position")
    items = events["item_id"].rank("dense").to_numpy().astype(int) - 1
    users = events["user_id"].rank("dense").to_numpy().astype(int) - 1
    histories = np.split(items, offsets_of(np.bincount(users))[1:-1])
    train = dataset_of([row[:-1].tolist() for row in histories], n_items=int(items.max()) + 1)
    return train, np.array([row[-1] for row in histories])


def measured(score: Score, train: Dataset, targets: np.ndarray) -> tuple[float, float]:
    """Give Recall@10 and nDCG@10 over all users."""
    ranks = []
    for start in range(0, train.n_users, 256):
        users = np.arange(start, min(start + 256, train.n_users))
        scores = np.nan_to_num(score(users), nan=-np.inf)
        scores[train.seen(users).toarray() != 0] = -np.inf
        own = scores[np.arange(len(users)), targets[users], None]
        ranks.append((scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2)
    rank = np.concatenate(ranks)
    hit = rank < 10
    return float(hit.mean()), float((hit / np.log2(rank + 2)).mean())


def ours(model: EASE | ALS, train: Dataset) -> Score:
    def score(users: np.ndarray) -> Floats:
        return model.scores(Queries(users.astype(np.int32), train.histories(users)))

    return score


def implicit_als(train: Dataset) -> Score:
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=ALS_SETTINGS.factors,
            regularization=ALS_SETTINGS.regularization,
            alpha=ALS_SETTINGS.alpha,
            iterations=ALS_SETTINGS.iterations,
            random_state=ALS_SETTINGS.seed,
        )
        model.fit(sparse.csr_matrix(train.matrix()), show_progress=False)
    return lambda users: model.user_factors[users] @ model.item_factors.T


def irspack_ease(train: Dataset, python: str) -> Score:
    with tempfile.TemporaryDirectory() as folder:
        matrix, scores = Path(folder) / "matrix.npz", Path(folder) / "scores.npy"
        sparse.save_npz(matrix, sparse.csr_matrix(train.matrix()))
        command = [python, "-c", PEER, str(matrix), str(scores), str(EASE_SETTINGS.l2)]
        subprocess.run(command, check=True)
        found = np.load(scores)
    return lambda users: found[users]


def plain_ease(train: Dataset) -> Score:
    """Steck's formula in float64, without any of our shortcuts."""
    liked = train.matrix()
    gram = (liked.T @ liked).toarray().astype(np.float64)
    inverse = np.linalg.inv(gram + EASE_SETTINGS.l2 * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return lambda users: liked[users] @ weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer-python", help="Python of an environment with irspack 0.5.2")
    arguments = parser.parse_args()
    train, targets = leave_one_out(arguments.folder)
    ease = ours(EASE.fit(train, EASE_SETTINGS), train)
    rows = [("EASE", "float64", ease, plain_ease(train))]
    if arguments.peer_python:
        rows.append(("EASE", "irspack", ease, irspack_ease(train, arguments.peer_python)))
    als = ours(ALS.fit(train, ALS_SETTINGS), train)
    rows.append(("iALS", "implicit", als, implicit_als(train)))

    print(f"{train.n_users} users, {train.n_items} items, {len(train.interactions)} events train")
    print(f"{'model':6}{'peer':10}{'Recall@10':>20}{'nDCG@10':>20}   within {BAND:.0%}")
    for name, peer, own, other in rows:
        pairs = list(
            zip(measured(own, train, targets), measured(other, train, targets), strict=True)
        )
        close = all(abs(a - b) <= BAND * b for a, b in pairs)
        figures = "".join(f"{a:>11.4f} /{b:>7.4f}" for a, b in pairs)
        print(f"{name:6}{peer:10}{figures}   {'yes' if close else 'NO'}")


if __name__ == "__main__":
    main()
