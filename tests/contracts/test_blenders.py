"""Every blender lists itself here and inherits the laws."""

from __future__ import annotations

import numpy as np
from tests.contracts.blender import BlenderLaws

from longtale.blend.convex import BlendSettings, ConvexBlend


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
