"""Several encoders as one: their vectors side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longtale.arrays import Floats, unit_rows
from longtale.contracts import Literate, OnProgress, Purpose, TextEncoder
from longtale.encode.saved import SavedJoined, write_saved


@dataclass(frozen=True, eq=False)
class JoinedEncoder:
    """Joins encoders, so that the cosine of two texts is the mean of what the encoders find.

    v = unit((v_1, ..., v_n)). Errors that the encoders do not share average out. Encoders of
    several seeds may be joined, or of several kinds; a whitening on top finds the directions that
    they have in common.

    Args:
        parts: the encoders, two or more.

    Example:
        >>> from longtale.encode.hashed_text import HashedTextEncoder
        >>> JoinedEncoder((HashedTextEncoder(dim=8), HashedTextEncoder(dim=16))).dim
        24
    """

    parts: tuple[TextEncoder, ...]

    @property
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    @property
    def fingerprint(self) -> str:
        content = "joined " + " ".join(part.fingerprint for part in self.parts)
        return hashlib.sha256(content.encode()).hexdigest()

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        n_told = 0

        def tell(n: int) -> None:
            # A text counts when the last encoder has read it.
            nonlocal n_told
            n_told += n
            if on_progress is not None and n_told > len(texts) * (len(self.parts) - 1):
                over = n_told - len(texts) * (len(self.parts) - 1)
                on_progress(min(n, over))

        found = [part.encode(texts, purpose=purpose, on_progress=tell) for part in self.parts]
        return unit_rows(np.concatenate(found, axis=1))

    def words(self) -> frozenset[str]:
        known = [part.words() for part in self.parts if isinstance(part, Literate)]
        return frozenset().union(*known)

    def save(self, folder: Path) -> None:
        names = tuple(f"part-{number}" for number in range(len(self.parts)))
        write_saved(folder, SavedJoined(parts=names))
        for name, part in zip(names, self.parts, strict=True):
            part.save(folder / name)
