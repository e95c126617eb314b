"""Every retriever that learns from new events lists itself here and inherits the laws."""

from __future__ import annotations

import pytest
from tests.contracts.updatable import UpdatableLaws

from longtale.models import item_knn
from longtale.models.als import ALS, ALSSettings
from longtale.models.item_knn import ItemKNN, ItemKNNSettings
from longtale.models.popular import Popular, PopularSettings, Rising, RisingSettings
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
