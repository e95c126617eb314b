"""An encoder without a model: words and pieces of words, hashed into a vector."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from longtale.arrays import Floats, unit_rows
from longtale.contracts import OnProgress, Purpose
from longtale.encode.saved import SavedHashed, write_saved

_WORD = re.compile(r"\w+|[^\w\s]")
_PIECE_LENGTHS = (3, 4)
_PIECE_WEIGHT = 0.3  # a word's pieces together must not outweigh the word
_MAX_CHARACTERS = 65_536
_PROGRESS_EVERY = 1024


@dataclass(frozen=True)
class HashedTextEncoder:
    """Signed feature hashing of words and character n-grams; knows spelling, not meaning.

    Each feature f adds sign(h(f)) w(f) to the dimension h(f) mod D, where a word seen n times has
    the weight 1 + ln n (Weinberger et al. 2009, arXiv:0902.2206). It needs no training and no
    torch, and gives the same vectors in every process: for tests, CI and catalogues of codes.

    Args:
        dim: D.

    Example:
        >>> vectors = HashedTextEncoder(dim=64).encode(["red shoe", "red shoes", "kettle"])
        >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
        True
    """

    dim: int = 256

    @property
    def fingerprint(self) -> str:
        content = f"hashed-text 1 {self.dim} {_PIECE_LENGTHS} {_PIECE_WEIGHT}"
        return hashlib.sha256(content.encode()).hexdigest()

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            self._add(text, vectors[row])
            if on_progress is not None and (row + 1) % _PROGRESS_EVERY == 0:
                on_progress(_PROGRESS_EVERY)
        if on_progress is not None:
            on_progress(len(texts) % _PROGRESS_EVERY)
        return unit_rows(vectors)

    def save(self, folder: Path) -> None:
        write_saved(folder, SavedHashed(dim=self.dim, fingerprint=self.fingerprint))

    def _add(self, text: str, vector: Floats) -> None:
        plain = unicodedata.normalize("NFKC", text[:_MAX_CHARACTERS]).casefold()
        for word, count in Counter(_WORD.findall(plain)).items():
            weight = 1.0 + math.log(count)
            for number, share in _features(word):
                sign = 1.0 if number & 1 else -1.0
                vector[(number >> 1) % self.dim] += sign * share * weight


@lru_cache(maxsize=65_536)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    pieces = list(_pieces(f"<{word}>"))
    share = _PIECE_WEIGHT * math.sqrt(len(pieces)) / len(pieces) if pieces else 0.0
    return ((_hash(word), 1.0), *((_hash(f"#{piece}"), share) for piece in pieces))


def _pieces(word: str) -> Iterator[str]:
    for length in _PIECE_LENGTHS:
        for start in range(len(word) - length + 1):
            yield word[start : start + length]


def _hash(feature: str) -> int:
    # Hashing bytes with replacement: text from outside may hold halves of surrogate pairs.
    content = feature.encode("utf-8", errors="replace")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
