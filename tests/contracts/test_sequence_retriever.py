"""The sequence retriever inherits the laws, as a net of identities and as one that reads text."""

from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.retriever import RetrieverLaws
from tests.contracts.test_retrievers import title_vectors

from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.splits.folds import Fold
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import SequenceSettings

pytestmark = pytest.mark.torch

_SMALL = {
    "width": 8,
    "batch_size": 16,
    "n_negatives": 20,
    "epochs": 12,
    "learning_rate": 0.3,  # so large that some passes are surely worse
    "dropout": 0.1,
    "max_length": 10,
    "patience": 12,
}
_OTHER = {
    "block": "ligr",
    "width": 12,
    "n_blocks": 2,
    "n_heads": 2,
    "max_length": 2,
    "dropout": 0,
    "epochs": 5,
    "stop_after": 2,
    "patience": 1,
    "batch_size": 8,
    "learning_rate": 0.01,
    "weight_decay": 1,
    "n_negatives": 5,
    "from_batch": 0,
    "log_q": False,
    "full_epochs": 12,
    "clip": 0.01,
    "ema": 0.9,
    "precision": "bfloat16",
    "seed": 1,
}


def held_out(dataset: Dataset) -> Fold:
    """Ask for the last item of each user, which is not held out at all: training comes nearer."""
    users = np.arange(dataset.n_users, dtype=np.int32)
    histories = dataset.histories(users)
    earlier = histories.first(np.maximum(histories.lengths - 1, 0))
    nothing = Histories.of([[]] * len(users)).matrix(dataset.n_items)
    return Fold(dataset, Queries(users, earlier), histories.last(1), nothing)


def fit(dataset: Dataset, settings: SequenceSettings) -> SequenceRetriever:
    vectors = title_vectors(dataset)
    return SequenceRetriever.fit(dataset, settings, vectors, validation=held_out(dataset))


class TestSequenceOfIdentities(RetrieverLaws):
    settings = SequenceSettings(items="identity", **_SMALL)
    fit = staticmethod(fit)
    test_each_setting_changes_something = None  # identities are never dropped here


class TestSequenceOfText(RetrieverLaws):
    settings = SequenceSettings(items="both", **_SMALL)
    other_settings = SequenceSettings(items="text", identity_dropout=0.5, **_OTHER)
    learns_items = False
    fit = staticmethod(fit)
