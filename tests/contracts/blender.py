"""The laws of every blender: inherit `BlenderLaws`, say how yours is fitted, and that is all."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.arrays import Floats
from longtale.contracts import Blender
from longtale.data.candidates import Scale
from longtale.data.query import Queries
from longtale.seeds import generator

N_SOURCES, N_ITEMS = 3, 30


class BlenderLaws:
    """Inherit, and define `fitted`, which gives a blender of so many sources that uses them all."""

    @staticmethod
    def fitted(n_sources: int) -> Blender:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def blender(cls) -> Blender:
        return cls.fitted(N_SOURCES)

    @pytest.fixture
    def queries(self) -> Queries:
        """Somebody new, somebody with one event and somebody with many; the last two say words."""
        words = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
        rows = np.full(3, -1, dtype=np.int32)
        return Queries(rows, Queries.of([[], [1], [1, 2, 3, 4]]).histories, words)

    @pytest.fixture
    def scores(self, queries: Queries) -> Floats:
        """Scores of very different scales; what stands in one item is known to no source."""
        drawn = generator(0, "blender laws").normal(size=(N_SOURCES, len(queries), N_ITEMS))
        scores = (drawn * np.array([1, 1000, 0.01])[:, None, None]).astype(np.float32)
        scores[1, :, :9] = np.nan
        scores[:, :, 0] = np.nan
        return scores

    def test_one_source_keeps_its_order(self, queries, scores):
        blended = self.fitted(1).contributions(queries, scores[:1]).sum(axis=0)
        np.testing.assert_array_equal(
            blended[:, 1:].argsort(axis=1), scores[0, :, 1:].argsort(axis=1)
        )

    def test_there_is_a_number_for_each_source_request_and_item(self, blender, queries, scores):
        contributions = blender.contributions(queries, scores)
        assert contributions.dtype == np.float32
        assert contributions.shape == scores.shape
        assert not np.isnan(contributions).any()

    def test_a_part_of_the_catalogue_gets_what_it_gets_in_the_whole(self, blender, queries, scores):
        items = np.array([3, 4, 17, 29], dtype=np.int32)
        asked = np.broadcast_to(np.arange(4, dtype=np.int32), (len(queries), 4))
        # The gate sees how far the best item stands out: let the part hold the best.
        scores[..., 17] = np.nanmax(scores, axis=-1) + 1
        part = blender.narrowed(items, Scale.of(scores))
        whole = blender.contributions(queries, scores)[..., items]
        found = part.contributions(queries, scores[..., items])
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)
        weights = blender.weights_at(queries, scores, items[asked])
        np.testing.assert_allclose(
            part.weights_at(queries, scores[..., items], asked), weights, rtol=1e-4
        )

    def test_a_dead_source_changes_nothing_else(self, blender, queries, scores):
        alive = blender.contributions(queries, scores)
        scores[1] = np.nan
        dead = blender.contributions(queries, scores)
        np.testing.assert_array_equal(dead[[0, 2]], alive[[0, 2]])
        assert (dead[1] == 0).all()

    def test_what_no_source_can_score_is_minus_infinity_and_nothing_else(
        self, blender, queries, scores
    ):
        blended = blender.contributions(queries, scores).sum(axis=0)
        assert np.isneginf(blended[:, 0]).all()
        assert np.isfinite(blended[:, 1:]).all()

    def test_scale_and_shift_of_a_source_change_nothing(self, blender, queries, scores):
        before = blender.contributions(queries, scores)
        scores[2] = 50 * scores[2] + 1
        np.testing.assert_allclose(blender.contributions(queries, scores), before, atol=1e-3)

    def test_batch_equals_singles(self, blender, queries, scores):
        singles = [
            blender.contributions(queries.take(np.array([b])), scores[:, [b]])
            for b in range(len(queries))
        ]
        np.testing.assert_allclose(
            blender.contributions(queries, scores), np.concatenate(singles, axis=1), atol=1e-6
        )

    def test_a_source_that_is_not_used_adds_nothing(self, blender, queries, scores):
        for b in range(len(queries)):
            one = queries.take(np.array([b]))
            unused = ~blender.uses(one)
            assert unused.shape == (N_SOURCES,)
            added = blender.contributions(one, scores[:, [b]])[unused]
            assert not added[np.isfinite(added)].any()

    def test_weights_are_of_each_item_and_none_where_a_source_is_not_used(
        self, blender, queries, scores
    ):
        items = np.tile(np.array([2, 1, 5], dtype=np.int32), (len(queries), 1))
        weights = blender.weights_at(queries, scores, items)
        assert weights.shape == (N_SOURCES, len(queries), 3)
        assert weights.dtype == np.float32
        assert (weights >= 0).all()
        one = queries.take(np.array([0]))
        alone = blender.weights_at(one, scores[:, :1], items[:1])
        np.testing.assert_allclose(alone, weights[:, :1], rtol=1e-5)
        assert (alone.any(axis=(1, 2)) == blender.uses(one)).all()

    def test_blending_leaves_the_scores_as_they_were(self, blender, queries, scores):
        before = scores.copy()
        blender.contributions(queries, scores)
        np.testing.assert_array_equal(scores, before)

    def test_restored_answers_bit_equal(self, blender, queries, scores):
        restored = type(blender).restore(blender.settings, blender.state())
        assert restored.settings == blender.settings
        np.testing.assert_array_equal(
            restored.contributions(queries, scores), blender.contributions(queries, scores)
        )
