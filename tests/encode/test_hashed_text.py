from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.text_encoder import TextEncoderLaws

from longtale.encode.hashed_text import HashedTextEncoder


class TestHashedText(TextEncoderLaws):
    @pytest.fixture
    def encoder(self) -> HashedTextEncoder:
        return HashedTextEncoder(dim=64)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), max_size=8))
def test_any_text_is_a_unit_row_or_blank(texts: list[str]):
    lengths = np.linalg.norm(HashedTextEncoder().encode(texts), axis=1)
    for text, length in zip(texts, lengths, strict=True):
        assert length == pytest.approx(1.0 if text.split() else 0.0, abs=1e-5)


def test_every_process_gives_the_same_vectors():
    code = (
        "from longtale.encode.hashed_text import HashedTextEncoder as E;"
        "print(E(dim=16).encode(['red shoe', 'kettle']).tobytes().hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    own = HashedTextEncoder(dim=16).encode(["red shoe", "kettle"]).tobytes().hex()
    assert other.stdout.strip() == own


def test_case_and_compatibility_forms_do_not_matter():
    one, other = HashedTextEncoder().encode(["Straße ﬁlm", "STRASSE FILM"])
    np.testing.assert_array_equal(one, other)


def test_shared_words_bring_texts_together():
    a, b, c = HashedTextEncoder().encode(["red leather shoe", "shoe of leather", "copper kettle"])
    assert a @ b > 0.4 > a @ c


def test_another_width_is_another_fingerprint():
    assert HashedTextEncoder(dim=64).fingerprint != HashedTextEncoder(dim=65).fingerprint
