"""The laws of every text encoder; a test class inherits them and gives an encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from longtale.contracts import Literate, TextEncoder
from longtale.encode.encoder import load_encoder

TEXTS = ["a red shoe", "", "two red shoes and a kettle", "  \n", "kettle", "a", "Ünïcode 靴 🥾"]


class TextEncoderLaws:
    """Inherit, and give the fixture `encoder`."""

    saved_tolerance = 0.0

    def test_rows_are_unit_and_blank_texts_zero(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode(TEXTS)
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(TEXTS), encoder.dim)
        lengths = np.linalg.norm(vectors, axis=1)
        np.testing.assert_allclose(lengths, [bool(t.strip()) for t in TEXTS], atol=1e-5)

    def test_a_vector_does_not_depend_on_its_neighbours(self, encoder: TextEncoder) -> None:
        together = encoder.encode(TEXTS)
        alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
        backwards = encoder.encode(TEXTS[::-1])[::-1]
        np.testing.assert_allclose(together, alone, atol=1e-5)
        np.testing.assert_allclose(together, backwards, atol=1e-5)

    def test_no_texts_give_no_rows(self, encoder: TextEncoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dim)

    def test_progress_adds_up_to_all_texts(self, encoder: TextEncoder) -> None:
        told: list[int] = []
        encoder.encode(TEXTS, on_progress=told.append)
        assert sum(told) == len(TEXTS)

    def test_text_of_a_megabyte_and_broken_unicode_are_encoded(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode(["word " * 200_000, "x" * 1_000_000, "half \ud800 a pair"])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)

    def test_what_was_saved_knows_the_same_words(
        self, encoder: TextEncoder, tmp_path: Path
    ) -> None:
        encoder.save(tmp_path / "encoder")
        loaded = load_encoder(tmp_path / "encoder")
        own, saved = (e.words() if isinstance(e, Literate) else set() for e in (encoder, loaded))
        assert saved == own

    def test_what_was_saved_answers_the_same(self, encoder: TextEncoder, tmp_path: Path) -> None:
        encoder.save(tmp_path / "encoder")
        loaded = load_encoder(tmp_path / "encoder")
        assert loaded.fingerprint == encoder.fingerprint
        assert loaded.dim == encoder.dim
        for purpose in ("passage", "query"):
            np.testing.assert_allclose(
                loaded.encode(TEXTS, purpose=purpose),
                encoder.encode(TEXTS, purpose=purpose),
                atol=self.saved_tolerance,
            )
