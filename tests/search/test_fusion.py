from __future__ import annotations

import numpy as np

from longtale.arrays import unit_rows
from longtale.search.fusion import FusionSettings, followed, fused


def test_words_and_meaning_have_their_weights() -> None:
    scores = np.ones((2, 1, 3), dtype=np.float32)
    shares = fused(scores, FusionSettings(words=0.25))
    np.testing.assert_allclose(shares[:, 0, 0], [0.25, 0.75])
    assert shares.dtype == np.float32


def test_a_query_follows_its_best_items_as_far_as_is_set(rng: np.random.Generator) -> None:
    asked = unit_rows(rng.normal(size=(2, 4)).astype(np.float32))
    best = unit_rows(rng.normal(size=(6, 4)).astype(np.float32)).reshape(2, 3, 4)
    np.testing.assert_array_equal(followed(asked, best, FusionSettings(feedback=0.0)), asked)
    there = followed(asked, best, FusionSettings(feedback=1.0))
    np.testing.assert_allclose(there, unit_rows(best.mean(axis=1)), rtol=1e-6)
    half = followed(asked, best, FusionSettings(feedback=0.5))
    np.testing.assert_allclose(half, (asked + there) / 2, rtol=1e-5)


def test_items_without_text_lead_nowhere() -> None:
    asked = np.eye(2, dtype=np.float32)
    nothing = np.zeros((2, 3, 2), dtype=np.float32)
    found = followed(asked, nothing, FusionSettings())
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(unit_rows(found), asked)
