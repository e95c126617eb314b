"""The linear partners list themselves here and inherit the laws."""

from __future__ import annotations

from tests.contracts.retriever import CitingLaws

from longtale.models.sequence_linear import SequenceLinear, SequenceLinearSettings


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
