"""Every reranker lists itself here and inherits the laws."""

from __future__ import annotations

import numpy as np
from tests.contracts.reranker import Items, RerankerLaws

from longtale.rank.calibrated import Calibrated, CalibratedSettings
from longtale.rank.diversity import DPP, MMR, DPPSettings, MMRSettings
from longtale.rank.fairness import FairExposure, FairExposureSettings
from longtale.rank.groups import n_groups
from longtale.rank.limits import Limits, LimitSettings
from longtale.rank.tail import LongTail, LongTailSettings


class TestMMR(RerankerLaws):
    settings = MMRSettings(strength=0.5)
    neutral = MMRSettings(strength=0)
    other_settings = MMRSettings(strength=1)

    @classmethod
    def made(cls, items: Items, settings: MMRSettings) -> MMR:
        return MMR.of(items.vectors, settings)


class TestDPP(RerankerLaws):
    settings = DPPSettings(strength=0.5)
    neutral = DPPSettings(strength=0)
    other_settings = DPPSettings(strength=1)

    @classmethod
    def made(cls, items: Items, settings: DPPSettings) -> DPP:
        return DPP.of(items.vectors, settings)


class TestCalibrated(RerankerLaws):
    settings = CalibratedSettings(strength=0.6)
    neutral = CalibratedSettings(strength=0)
    other_settings = CalibratedSettings(strength=0.2, smoothing=0.8)

    @classmethod
    def made(cls, items: Items, settings: CalibratedSettings) -> Calibrated:
        return Calibrated.of(items.codes, settings)


class TestLimits(RerankerLaws):
    settings = LimitSettings(most_per_group=2, least_new=3)
    neutral = LimitSettings()
    other_settings = LimitSettings(most_per_group=1, least_new=5)

    @classmethod
    def made(cls, items: Items, settings: LimitSettings) -> Limits:
        return Limits.of(items.codes, items.is_new, settings)


class TestLongTail(RerankerLaws):
    settings = LongTailSettings(strength=0.5, reach=3)
    neutral = LongTailSettings(strength=0, reach=3)
    other_settings = LongTailSettings(strength=1, reach=9, slope=0.5, tail_share=0.1, depth=6)

    @classmethod
    def made(cls, items: Items, settings: LongTailSettings) -> LongTail:
        return LongTail.fit(items.counts, settings)


class TestFairExposure(RerankerLaws):
    settings = FairExposureSettings(strength=0.8)
    neutral = FairExposureSettings(strength=0)
    other_settings = FairExposureSettings(strength=0.1, floor=0.5)

    @classmethod
    def made(cls, items: Items, settings: FairExposureSettings) -> FairExposure:
        return FairExposure.of(items.codes, np.ones(n_groups(items.codes)), settings)
