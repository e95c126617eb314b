"""The items' meaning as vectors, and users' words in the same space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from longtale.arrays import Floats, unit_rows
from longtale.contracts import OnProgress, TextEncoder
from longtale.data.catalog import Catalog
from longtale.encode.prompt import PromptSettings, item_texts
from longtale.encode.whiten import Whitening, WhiteningSettings
from longtale.search.intent import parse_wish

DISLIKE_WEIGHT = 0.5
"""Share of what is not wanted that is taken from what is wanted (Rocchio 1971 used .25 to .5)."""


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """N whitened unit vectors, with all that is needed to add items and read words.

    Args:
        encoder: turns text into raw vectors.
        prompt: how an item's text fields become one text.
        whitening: fitted on the items' raw vectors.
        vectors: float32 (N, D), unit rows; a zero row has no text.
    """

    encoder: TextEncoder
    prompt: PromptSettings
    whitening: Whitening
    vectors: Floats

    @classmethod
    def fit(
        cls,
        catalog: Catalog,
        encoder: TextEncoder,
        *,
        prompt: PromptSettings,
        whitening: WhiteningSettings,
        on_progress: OnProgress = None,
    ) -> ItemVectors:
        """Encode the whole catalogue and fit the whitening on it."""
        raw = encoder.encode(texts_of(catalog, prompt), on_progress=on_progress)
        fitted = Whitening.fit(raw, whitening)
        return cls(encoder, prompt, fitted, fitted.apply(raw))

    def of_words(self, texts: Sequence[str]) -> Floats:
        """Give users' words as float32 (B, D): towards the liked, away from the disliked."""
        wishes = [parse_wish(text) for text in texts]
        likes = self._directions([wish.likes for wish in wishes])
        dislikes = self._directions([wish.dislikes for wish in wishes])
        return unit_rows(likes - np.float32(DISLIKE_WEIGHT) * dislikes)

    def extended(self, catalog: Catalog) -> ItemVectors:
        """Encode the items of a catalogue that stand behind those already here."""
        added = catalog.take(range(len(self.vectors), len(catalog)))
        raw = self.encoder.encode(texts_of(added, self.prompt))
        return replace(self, vectors=np.vstack([self.vectors, self.whitening.apply(raw)]))

    def read_again(self, catalog: Catalog, rows: Sequence[int]) -> ItemVectors:
        """Encode some items of the catalogue anew."""
        raw = self.encoder.encode(texts_of(catalog.take(rows), self.prompt))
        vectors = self.vectors.copy()
        vectors[list(rows)] = self.whitening.apply(raw)
        return replace(self, vectors=vectors)

    def _directions(self, texts: Sequence[str]) -> Floats:
        return self.whitening.towards(self.encoder.encode(texts, purpose="query"))


def texts_of(catalog: Catalog, prompt: PromptSettings) -> list[str]:
    """Give the text of each item as an encoder reads it, N; blank where there is none."""
    fields = catalog.texts()
    return item_texts(fields, prompt) if fields else [""] * len(catalog)
