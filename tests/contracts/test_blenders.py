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
        items = np.tile(np.array([0.5, 0, 0.3], dtype=np.float32), (N_ITEMS, 1))
        nothing = np.zeros(n_sources, dtype=np.float32)
        return GatedBlend(TestConvexBlend.fitted(n_sources), slopes / 3, nothing, 0, items)


class TestGatedBlendOfNewItems(BlenderLaws):
    """All items are new and have weights and a lift of their own; one more source is used."""

    @staticmethod
    def fitted(n_sources: int) -> GatedBlend:
        items = np.tile(np.array([-2.3, 1, 0], dtype=np.float32), (N_ITEMS, 1))
        slopes = np.ones((n_sources, N_SLOPES), dtype=np.float32)
        new_weights = np.arange(1, n_sources + 1, dtype=np.float32)
        return GatedBlend(TestConvexBlend.fitted(n_sources), slopes, new_weights, 0.5, items)
