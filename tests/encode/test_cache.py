from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.text_encoder import TextEncoderLaws

from longtale.arrays import Floats
from longtale.contracts import OnProgress, Purpose
from longtale.encode import cache
from longtale.encode.cache import CachedEncoder, default_cache_folder
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.errors import EncoderError


@dataclass
class CountingEncoder:
    """Remembers what it was asked; stops like Ctrl-C when told to."""

    dim: int = 32
    stop_before: str | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return HashedTextEncoder(self.dim).fingerprint

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        if self.stop_before in texts:
            raise KeyboardInterrupt
        self.asked.extend(texts)
        return HashedTextEncoder(self.dim).encode(texts, on_progress=on_progress)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def fresh(folder: Path, *, dim: int = 32) -> tuple[CachedEncoder, CountingEncoder]:
    counting = CountingEncoder(dim)
    return CachedEncoder(counting, folder), counting


class TestCached(TextEncoderLaws):
    @pytest.fixture
    def encoder(self, tmp_path: Path) -> CachedEncoder:
        return CachedEncoder(HashedTextEncoder(dim=64), tmp_path / "cache")


def test_only_what_changed_is_encoded_again(tmp_path: Path):
    first, _ = fresh(tmp_path)
    first.encode(["a", "b", "c"])
    again, counting = fresh(tmp_path)
    vectors = again.encode(["c", "changed", "a"])
    assert counting.asked == ["changed"]
    np.testing.assert_array_equal(vectors, HashedTextEncoder(32).encode(["c", "changed", "a"]))


def test_a_text_that_stands_twice_is_encoded_once(tmp_path: Path):
    encoder, counting = fresh(tmp_path)
    vectors = encoder.encode(["a", "b", "a"])
    assert sorted(counting.asked) == ["a", "b"]
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_another_encoder_shares_nothing(tmp_path: Path):
    fresh(tmp_path)[0].encode(["a"])
    other, counting = fresh(tmp_path, dim=16)
    assert other.encode(["a"]).shape == (1, 16)
    assert counting.asked == ["a"]


def test_queries_are_not_kept(tmp_path: Path):
    encoder, counting = fresh(tmp_path)
    encoder.encode(["a"], purpose="query")
    encoder.encode(["a"])
    assert counting.asked == ["a", "a"]


def test_a_stopped_run_keeps_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "_SHARD_TEXTS", 2)
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    stopped, counting = fresh(tmp_path)
    counting.stop_before = "eeeee"
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        stopped.encode(texts)
    again, counting = fresh(tmp_path)
    again.encode(texts)
    assert counting.asked == ["eeeee"]


@pytest.mark.parametrize("damage", ["torn", "empty", "text", "other arrays"])
def test_a_broken_shard_is_named_and_encoded_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
):
    encoder, _ = fresh(tmp_path)
    vectors = encoder.encode(["a", "b"])
    (shard,) = tmp_path.rglob("*.safetensors")
    if damage == "other arrays":
        cache.save_file({"digests": np.zeros((1, 3)), "vectors": np.zeros((1, 2))}, shard)
    else:
        whole = shard.read_bytes()
        shard.write_bytes({"torn": whole[:-20], "empty": b"", "text": b"no tensors"}[damage])
    again, counting = fresh(tmp_path)
    with caplog.at_level(logging.INFO, logger="longtale"):
        np.testing.assert_array_equal(again.encode(["a", "b"]), vectors)
    assert sorted(counting.asked) == ["a", "b"]
    assert "ignored a broken cache file" in caplog.text
    assert shard.name in caplog.text


def test_writers_do_not_get_in_each_others_way(tmp_path: Path):
    one, _ = fresh(tmp_path)
    other, _ = fresh(tmp_path)
    one.encode(["a", "b"])
    other.encode(["b", "c"])
    last, counting = fresh(tmp_path)
    last.encode(["a", "b", "c"])
    assert counting.asked == []
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path):
    (tmp_path / "vectors").write_text("in the way")
    with pytest.raises(EncoderError, match=r"cannot be written: .* LONGTALE_CACHE"):
        fresh(tmp_path)[0].encode(["a"])


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LONGTALE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache_folder() == Path.home() / ".cache" / "longtale"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_folder() == Path("/somewhere/longtale")
    monkeypatch.setenv("LONGTALE_CACHE", "/own")
    assert default_cache_folder() == Path("/own")
