from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longtale.encode.encoder import EncoderSettings, make_encoder
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.errors import DataError
from longtale.language.shrink.settings import CompressSettings

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.language.tiny import tiny_encoder  # noqa: E402 - needs torch

from longtale.encode.exported import export_encoder  # noqa: E402
from longtale.language.shrink.compress import Variant, compress, speed_ratio  # noqa: E402

TEXTS = [f"a {kind} of {what}" for kind in ("film", "book") for what in ("love", "war", "the sea")]
SETTINGS = CompressSettings(layers=(1,), heads=(0.5,), n_rounds=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("model"), TEXTS)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def variants(folder: Path, out: Path) -> list[Variant]:
    return compress(folder, TEXTS, SETTINGS, out=out, export=export_encoder)


def test_each_variant_is_told_after_the_whole_model(variants: list[Variant], folder: Path):
    assert [v.name for v in variants] == ["whole", "8 bits", "1 layers", "50 % of heads"]
    assert variants[0] == Variant("whole", folder, variants[0].size_mb, 1.0, 1.0)
    assert variants[3].note == "2 heads fewer"


def test_variants_are_smaller_and_nearly_alike(variants: list[Variant]):
    whole, rounded, fewer, _ = variants
    assert fewer.size_mb < whole.size_mb
    assert all(0.5 < v.cosine < 1 + 1e-6 for v in variants[1:])
    assert rounded.cosine > fewer.cosine


def test_each_variant_is_opened_by_the_setting(
    variants: list[Variant], folder: Path, tmp_path: Path
):
    def encoded(model: Path) -> np.ndarray:
        return make_encoder(
            EncoderSettings(model=str(model), engine="onnx", cache=tmp_path)
        ).encode(TEXTS)

    for variant in variants:
        cosine = (encoded(variant.folder) * encoded(folder)).sum(axis=1).mean()
        assert cosine == pytest.approx(variant.cosine, abs=0.05)


def test_nothing_but_the_variants_is_left(variants: list[Variant], out: Path):
    assert {path.name for path in out.iterdir()} == {v.folder.name for v in variants[1:]}


def test_heads_can_be_chosen_by_leaving_them_out(folder: Path, tmp_path: Path):
    told: list[int] = []
    settings = CompressSettings(layers=(), heads=(0.5,), importance="ablation", int8=False)
    found = compress(
        folder, TEXTS, settings, out=tmp_path, export=export_encoder, on_progress=told.append
    )
    assert [v.name for v in found] == ["whole", "50 % of heads"]
    assert told == [1]


def test_too_few_texts_are_refused(folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match="2 different texts that are not blank, but 4 or more"):
        compress(folder, ["a", "b", "b", ""], SETTINGS, out=tmp_path, export=export_encoder)


def test_speed_is_the_ratio_of_times_in_turns():
    now = 0.0

    class Taking(HashedTextEncoder):
        """Takes as long for a text as it has dimensions."""

        def encode(self, texts, **_):
            nonlocal now
            now += self.dim * len(texts)
            return super().encode(texts)

    ratio = speed_ratio(Taking(dim=8), Taking(dim=32), TEXTS, 3, clock=lambda: now)
    assert ratio == 4
