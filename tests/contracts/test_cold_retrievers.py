"""The retrievers that place items which nobody has met, under the laws of all retrievers."""

from __future__ import annotations

from tests.contracts.retriever import RetrieverLaws
from tests.contracts.test_retrievers import title_vectors

from longtale.models.als import ALSSettings
from longtale.models.cold_map import ColdMap, ColdMapSettings


class TestColdMap(RetrieverLaws):
    settings = ColdMapSettings(teacher=ALSSettings(factors=8, iterations=3, half_life=None), l2=0.5)
    other_settings = ColdMapSettings(
        teacher=ALSSettings(factors=4, iterations=1, half_life=1),
        l2=9,
        trust=1,
        attributes=2,
        rounds=0,
        popularity=1,
        max_items=20,
    )
    learns_items = False

    @classmethod
    def fit(cls, dataset, settings):
        return ColdMap.fit(dataset, settings, title_vectors(dataset))
