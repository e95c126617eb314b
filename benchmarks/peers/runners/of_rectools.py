"""Models of `rectools`, asked through its `recommend`: popularity, item-kNN, EASE, SASRec.

SASRec has the shapes of Longtale's own sequence model on such data: 50 events, width 64, 2 blocks.
It trains one epoch: what an epoch costs is what is compared, its quality needs some dozens.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd
from implicit.nearest_neighbours import TFIDFRecommender
from rectools import Columns
from rectools.dataset import Dataset, IdMap, Interactions
from rectools.models import EASEModel, ImplicitItemKNNWrapperModel, PopularModel, SASRecModel
from rectools.models.base import ModelBase
from task import Lists, Model, Task, main

warnings.simplefilter("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


def dataset(task: Task, users: np.ndarray, offsets: np.ndarray, items: np.ndarray) -> Dataset:
    """Build from histories; an event's time is its place in the history."""
    lengths = np.diff(offsets)
    places = np.arange(len(items)) - np.repeat(offsets[:-1], lengths)
    events = pd.DataFrame(
        {
            Columns.User: np.repeat(users, lengths),
            Columns.Item: items,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(places, unit="s"),
        }
    )
    all_users = IdMap.from_values(np.arange(len(task.offsets) - 1))
    all_items = IdMap.from_values(np.arange(task.n_items))
    return Dataset(all_users, all_items, Interactions.from_raw(events, all_users, all_items))


def _answering(model: ModelBase, task: Task) -> Lists:
    model.fit(dataset(task, np.arange(len(task.offsets) - 1), task.offsets, task.items))

    def lists(k: int) -> tuple[np.ndarray, np.ndarray]:
        asked = dataset(task, task.users, task.query_offsets, task.query_items)
        with_history = task.users[np.diff(task.query_offsets) > 0]
        found = model.recommend(with_history, asked, k=k, filter_viewed=True)
        request = pd.Series(np.arange(len(task)), index=task.users)
        rows = request[found[Columns.User]].to_numpy()
        places = found[Columns.Rank].to_numpy() - 1
        items, scores = np.full((len(task), k), -1), np.full((len(task), k), np.nan)
        items[rows, places] = found[Columns.Item].to_numpy()
        scores[rows, places] = found[Columns.Score].to_numpy()
        return items, scores

    return lists


def popular(task: Task) -> Lists:
    return _answering(PopularModel(), task)


def item_knn(task: Task, **settings: int) -> Lists:
    return _answering(ImplicitItemKNNWrapperModel(TFIDFRecommender(**settings)), task)


def ease(task: Task, **settings: float) -> Lists:
    return _answering(EASEModel(recommend_n_threads=1, **settings), task)


def sasrec(task: Task, **settings: int) -> Lists:
    import pytorch_lightning as lightning

    lightning.seed_everything(0, verbose=False)
    model = SASRecModel(
        n_blocks=2,
        n_heads=2,
        n_factors=64,
        session_max_len=50,
        loss="sampled_softmax",
        batch_size=128,
        dataloader_num_workers=0,
        recommend_torch_device="cpu",
        **settings,
    )
    return _answering(model, task)


MODELS = {
    "popular": Model(popular, gives_lists=True),
    "TF-IDF item-kNN": Model(item_knn, [{"K": 20}, {"K": 100}, {"K": 500}], gives_lists=True),
    "EASE": Model(ease, [{"regularization": 100}], gives_lists=True),
    "SASRec, 1 epoch": Model(sasrec, [{"n_negatives": 256, "epochs": 1}], gives_lists=True),
}

if __name__ == "__main__":
    main(MODELS)
