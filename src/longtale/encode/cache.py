"""Vectors kept on disk by what they were made from, so that only what changed is encoded again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from longtale import log
from longtale.arrays import Floats
from longtale.contracts import Literate, OnProgress, Purpose, TextEncoder
from longtale.errors import EncoderError

_SHARD_TEXTS = 1024  # lost at most when a run is stopped; some seconds of work
_DIGEST_BYTES = 16
_SUFFIX = ".safetensors"


def default_cache_folder() -> Path:
    """Give LONGTALE_CACHE, else `longtale` in XDG_CACHE_HOME, else `~/.cache/longtale`."""
    own = os.environ.get("LONGTALE_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "longtale"


@dataclass(frozen=True, eq=False)
class CachedEncoder:
    """An encoder that remembers passages; queries pass through.

    A vector is found by the encoder's fingerprint and the hash of its text. What was encoded is
    written in shards as it comes, each whole by an atomic rename: several processes may write at
    once, and a run that was stopped goes on where it was.

    Args:
        encoder: what encodes that which is not there.
        folder: where all encoders' vectors lie, one folder for each fingerprint.
    """

    encoder: TextEncoder
    folder: Path

    @property
    def dim(self) -> int:
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        return self.encoder.fingerprint

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        if purpose == "query":
            return self.encoder.encode(texts, purpose=purpose, on_progress=on_progress)
        keys = [_digest(text) for text in texts]
        missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._known}
        if on_progress is not None:
            on_progress(len(texts) - len(missing))
        log.info("looked up vectors", texts=len(texts), to_encode=len(missing))
        self._encode_missing(missing, on_progress)
        if not keys:
            return np.zeros((0, self.dim), dtype=np.float32)
        return np.stack([self._known[key] for key in keys])

    def words(self) -> frozenset[str]:
        return self.encoder.words() if isinstance(self.encoder, Literate) else frozenset()

    def save(self, folder: Path) -> None:
        self.encoder.save(folder)

    def _encode_missing(self, missing: dict[bytes, str], on_progress: OnProgress) -> None:
        # Texts of like length in one shard make full batches.
        ordered = sorted(missing, key=lambda key: len(missing[key]))
        for start in range(0, len(ordered), _SHARD_TEXTS):
            keys = ordered[start : start + _SHARD_TEXTS]
            vectors = self.encoder.encode([missing[k] for k in keys], on_progress=on_progress)
            self._write(keys, vectors)
            self._known.update(zip(keys, vectors, strict=True))

    def _write(self, keys: Sequence[bytes], vectors: Floats) -> None:
        shard = self._shards / f"{uuid.uuid4().hex}{_SUFFIX}"
        part = shard.with_suffix(".part")
        digests = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, _DIGEST_BYTES)
        try:
            self._shards.mkdir(parents=True, exist_ok=True)
            save_file({"digests": digests, "vectors": np.ascontiguousarray(vectors)}, part)
            part.replace(shard)
        except (OSError, SafetensorError) as error:
            raise EncoderError(
                f"the cache folder '{self._shards}' cannot be written: {error}; "
                "make room, or name another one by LONGTALE_CACHE or the setting `cache`"
            ) from None
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    @property
    def _shards(self) -> Path:
        return self.folder / "vectors" / self.fingerprint[:32]

    @cached_property
    def _known(self) -> dict[bytes, Floats]:
        known: dict[bytes, Floats] = {}
        for path in sorted(self._shards.glob(f"*{_SUFFIX}")):
            known.update(_read_shard(path, self.dim))
        return known


def _digest(text: str) -> bytes:
    content = text.encode("utf-8", errors="surrogatepass")
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _read_shard(path: Path, dim: int) -> dict[bytes, Floats]:
    try:
        arrays = load_file(path)
        digests, vectors = arrays["digests"], arrays["vectors"]
    except (OSError, SafetensorError, KeyError) as error:
        log.info("ignored a broken cache file", path=path, error=error)
        return {}
    if (
        digests.shape != (len(vectors), _DIGEST_BYTES)
        or vectors.shape[1:] != (dim,)
        or not np.isfinite(vectors).all()
    ):
        log.info("ignored a broken cache file", path=path, error="arrays of the wrong shape")
        return {}
    return {d.tobytes(): vector for d, vector in zip(digests, vectors, strict=True)}
