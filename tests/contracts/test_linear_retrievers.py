"""The linear partners list themselves here and inherit the laws."""

from __future__ import annotations

from tests.contracts.retriever import CitingLaws
from tests.contracts.test_retrievers import title_vectors

from longtale.models.ease import EASE, EASESettings
from longtale.models.sequence_linear import SequenceLinear, SequenceLinearSettings
from longtale.models.text_ease import TextEASE, TextEASESettings


class TestEASE(CitingLaws):
    settings = EASESettings(l2=3.0)
    other_settings = EASESettings(l2=9, max_items=20, kept=2, half_life=1, nearness=2, tail=0.5)
    fit = staticmethod(EASE.fit)


class TestSequenceLinear(CitingLaws):
    settings = SequenceLinearSettings(l2=2, past_half_life=10, half_life=8)
    other_settings = SequenceLinearSettings(
        l2=9,
        past_half_life=1,
        next_half_life=3,
        gap_half_life_days=20,
        window_days=30,
        half_life=1,
        tail=0.5,
        max_items=20,
        kept=2,
    )
    fit = staticmethod(SequenceLinear.fit)


class TestTextEASE(CitingLaws):
    settings = TextEASESettings(l2=3, text=3)
    other_settings = TextEASESettings(
        l2=9, text=9, text_l2=5, nearness=2, max_items=20, kept=2, half_life=1
    )
    learns_items = False

    @classmethod
    def fit(cls, dataset, settings):
        return TextEASE.fit(dataset, settings, title_vectors(dataset))
