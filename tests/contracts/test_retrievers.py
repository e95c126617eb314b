"""Every retriever lists itself here and inherits the laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.contracts.retriever import CitingLaws, RetrieverLaws

from longtale.arrays import Floats, unit_rows
from longtale.data.dataset import Dataset
from longtale.models.als import ALS, ALSSettings
from longtale.models.item_knn import ItemKNN, ItemKNNSettings
from longtale.models.popular import Popular, PopularSettings, Rising, RisingSettings
from longtale.models.semantic import SemanticRetriever, SemanticSettings
from longtale.models.user_knn import UserKNN, UserKNNSettings
from longtale.seeds import generator


class TestPopular(RetrieverLaws):
    settings = PopularSettings()
    other_settings = PopularSettings(weighted=True)
    learns_colours = False
    fit = staticmethod(Popular.fit)


class TestRising(RetrieverLaws):
    settings = RisingSettings()
    other_settings = RisingSettings(half_life_days=1)
    learns_colours = False
    fit = staticmethod(Rising.fit)


class TestItemKNN(CitingLaws):
    settings = ItemKNNSettings()
    other_settings = ItemKNNSettings(neighbours=2, k1=0.1, b=1, half_life=1)
    fit = staticmethod(ItemKNN.fit)


class TestUserKNN(RetrieverLaws):
    settings = UserKNNSettings()
    other_settings = UserKNNSettings(neighbours=2, idf=0, sharpness=3, half_life=1)
    fit = staticmethod(UserKNN.fit)


class TestALS(RetrieverLaws):
    settings = ALSSettings(factors=8, iterations=3)
    other_settings = ALSSettings(
        factors=4, regularization=9, alpha=9, iterations=1, seed=1, half_life=1
    )
    fit = staticmethod(ALS.fit)


class TestSemantic(CitingLaws):
    settings = SemanticSettings()
    other_settings = SemanticSettings(
        n_last=2, temperature=0.01, half_life=1, profile_length=3, kappa=30
    )
    learns_items = False

    @classmethod
    def fit(cls, dataset, settings):
        return SemanticRetriever.fit(dataset, settings, title_vectors(dataset))

    def asked(self, retriever, queries):
        words = title_vectors_of(["galaxy rocket"] * len(queries))
        return retriever.scores(replace(queries, text_vectors=words))


def title_vectors(dataset: Dataset) -> Floats:
    return title_vectors_of(dataset.catalog.titles())


def title_vectors_of(titles: list[str]) -> Floats:
    """Give each word a random direction, and each title the sum of its words."""
    rows = [
        np.sum([generator(0, word).normal(size=16) for word in title.lower().split()], axis=0)
        for title in titles
    ]
    return unit_rows(np.array(rows, dtype=np.float32))
