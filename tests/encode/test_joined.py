from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.contracts.text_encoder import TextEncoderLaws

from longtale.encode.encoder import EncoderSettings, make_encoder
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.encode.joined import JoinedEncoder


def joined() -> JoinedEncoder:
    return JoinedEncoder((HashedTextEncoder(dim=32), HashedTextEncoder(dim=48)))


class TestJoinedEncoder(TextEncoderLaws):
    @pytest.fixture
    def encoder(self) -> JoinedEncoder:
        return joined()


def test_a_cosine_is_the_mean_of_what_the_parts_find():
    encoder, texts = joined(), ["red shoe", "two red shoes and a kettle"]
    each = [np.dot(*part.encode(texts)) for part in encoder.parts]
    assert np.dot(*encoder.encode(texts)) == pytest.approx(np.mean(each), abs=1e-6)


def test_progress_is_told_when_the_last_part_reads():
    told: list[int] = []
    texts = ["red"] * 3000
    joined().encode(texts, on_progress=told.append)
    assert sum(told) == 3000
    assert len(told) < 4


def test_other_parts_give_another_fingerprint():
    other = JoinedEncoder((HashedTextEncoder(dim=48), HashedTextEncoder(dim=32)))
    assert other.fingerprint != joined().fingerprint


def test_a_folder_is_opened_by_the_setting(tmp_path: Path):
    joined().save(tmp_path)
    encoder = make_encoder(EncoderSettings(model=str(tmp_path), cache=tmp_path / "cache"))
    np.testing.assert_array_equal(encoder.encode(["red shoe"]), joined().encode(["red shoe"]))
