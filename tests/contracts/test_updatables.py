"""Every retriever that learns from new events lists itself here and inherits the laws."""

from __future__ import annotations

import pytest
from tests.contracts.test_retrievers import title_vectors
from tests.contracts.updatable import UpdatableLaws

from longtale.models import gram_change, item_knn
from longtale.models.als import ALS, ALSSettings
from longtale.models.ease import EASE, EASESettings
from longtale.models.item_knn import ItemKNN, ItemKNNSettings
from longtale.models.popular import Popular, PopularSettings, Rising, RisingSettings
from longtale.models.sequence_linear import SequenceLinear, SequenceLinearSettings
from longtale.models.text_ease import TextEASE, TextEASESettings
from longtale.models.user_knn import UserKNN, UserKNNSettings


class TestPopular(UpdatableLaws):
    settings = PopularSettings()
    fit = staticmethod(Popular.fit)


class TestWeightedPopular(UpdatableLaws):
    settings = PopularSettings(weighted=True)
    fit = staticmethod(Popular.fit)


class TestRising(UpdatableLaws):
    settings = RisingSettings()
    fit = staticmethod(Rising.fit)


class TestUserKNN(UpdatableLaws):
    settings = UserKNNSettings()
    fit = staticmethod(UserKNN.fit)


class TestItemKNN(UpdatableLaws):
    settings = ItemKNNSettings()
    fit = staticmethod(ItemKNN.fit)
    rtol = 0.3  # among 40 items and 500 events, 36 more are many
    agreement = 0.99

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def never_fitted_anew(cls):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(item_knn, "_MANY", 1.0)
            yield


class TestALS(UpdatableLaws):
    # As many factors as items: fewer have more than one best answer in a world without structure.
    settings = ALSSettings(factors=40, iterations=30)
    fit = staticmethod(ALS.fit)
    rtol, atol = 0.05, 0.25
    agreement = 0.94
    remains = 0.6


class _LinearLaws(UpdatableLaws):
    """Those of models that solve a linear system, here always step by step, as if it were large."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def never_solved_at_once(cls):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gram_change, "_DEAR", 0)
            yield


class TestEASE(_LinearLaws):
    settings = EASESettings(l2=3.0)
    fit = staticmethod(EASE.fit)
    rtol, atol = 0.01, 2e-3


class TestNearEASE(_LinearLaws):
    settings = EASESettings(l2=3.0, nearness=2, tail=0.5)
    fit = staticmethod(EASE.fit)
    rtol, atol = 0.01, 0.01


class TestTextEASE(_LinearLaws):
    settings = TextEASESettings(l2=3, text=3)
    rtol, atol = 0.01, 0.01

    @classmethod
    def fit(cls, dataset, settings):
        return TextEASE.fit(dataset, settings, title_vectors(dataset))


class TestSequenceLinear(_LinearLaws):
    settings = SequenceLinearSettings(l2=2, past_half_life=10, half_life=8)
    fit = staticmethod(SequenceLinear.fit)
    rtol, atol = 0.05, 0.07  # what did not come next is left out
    agreement = 0.98
