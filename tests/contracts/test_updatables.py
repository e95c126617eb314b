"""Every retriever that learns from new events lists itself here and inherits the laws."""

from __future__ import annotations

import pytest
from tests.contracts.updatable import UpdatableLaws

from longtale.models import item_knn
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
