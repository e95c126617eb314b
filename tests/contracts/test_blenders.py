"""Every blender lists itself here and inherits the laws."""

from __future__ import annotations

import numpy as np
from tests.contracts.blender import N_ITEMS, BlenderLaws

from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.gate import N_SLOPES, GatedBlend
from longtale.seeds import generator


class TestConvexBlend(BlenderLaws):
    @staticmethod
    def fitted(n_sources: int) -> ConvexBlend:
        weights = np.arange(1, n_sources + 1, dtype=np.float32)
        weights /= weights.sum()
        return ConvexBlend(BlendSettings(), weights, weights[::-1].copy())


class TestConvexBlendWithAnUnusedSource(BlenderLaws):
    """Only newcomers hear the last source."""

    @staticmethod
    def fitted(n_sources: int) -> ConvexBlend:
        known, new = np.zeros((2, n_sources), dtype=np.float32)
        known[0] = new[-1] = 1
        return ConvexBlend(BlendSettings(), known, new)


class TestGatedBlend(BlenderLaws):
    """Every piece of evidence counts; all items are equally well known."""

    @staticmethod
    def fitted(n_sources: int) -> GatedBlend:
        slopes = generator(1, "slopes").normal(size=(n_sources, N_SLOPES)).astype(np.float32)
        shifts = np.arange(n_sources, dtype=np.float32)
        items = np.tile(np.array([0.5, 1, 0.3], dtype=np.float32), (N_ITEMS, 1))
        return GatedBlend(TestConvexBlend.fitted(n_sources), slopes / 3, shifts, items)
