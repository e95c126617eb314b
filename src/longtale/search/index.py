"""All that a search reads of a catalogue, made once and from then on read only where it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Self

from longtale.arrays import Floats
from longtale.data.catalog import Catalog
from longtale.search.lexical import LexicalIndex
from longtale.search.meaning import PlainMeaning
from longtale.search.settings import SearchSettings
from longtale.search.spelling import Speller, dictionary


@dataclass(frozen=True, eq=False)
class SearchIndex:
    """The words of N items, how they are spelled, and what they mean.

    Args:
        catalog: the items.
        lexical: their words.
        speller: knows how these are spelled.
        meaning: their directions.
    """

    catalog: Catalog
    lexical: LexicalIndex
    speller: Speller
    meaning: PlainMeaning

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        vectors: Floats,
        projection: Floats,
        settings: SearchSettings,
        *,
        words: Collection[str] = (),
    ) -> Self:
        """Read a catalogue.

        Args:
            catalog: N items.
            vectors: float32 (N, D), whitened.
            projection: float32 (D', D), what whitened them.
            settings: how words are weighed and spelled.
            words: that are spelled as they should be, also where no item has them.
        """
        lexical = LexicalIndex.of(catalog, settings.lexical)
        speller = Speller.of(lexical, settings.spelling, is_word=dictionary(words))
        return cls(catalog, lexical, speller, PlainMeaning.of(vectors, projection))

    def knowing(self, catalog: Catalog, vectors: Floats, projection: Floats) -> Self:
        """Give the index of another state of the catalogue; only texts that differ are read."""
        if catalog is self.catalog and vectors is self.meaning.vectors:
            return self
        lexical = self.lexical.knowing(catalog)
        speller = replace(self.speller, index=lexical)
        return type(self)(catalog, lexical, speller, PlainMeaning.of(vectors, projection))


class KeptIndex:
    """The last index that was made; the next one is made from it.

    A recommender is frozen, and all that follow from it by new items or events share this one.

    Args:
        settings: how words are weighed and spelled.
        words: gives those that are spelled as they should be, also where no item has them.
    """

    def __init__(
        self,
        settings: SearchSettings | None = None,
        words: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self.settings = SearchSettings() if settings is None else settings
        self._words = words
        self._lock = threading.Lock()
        self._last: SearchIndex | None = None

    def of(self, catalog: Catalog, vectors: Floats, projection: Floats) -> SearchIndex:
        """Give the index of a catalogue; see `SearchIndex.of`."""
        with self._lock:
            if self._last is None:
                words = self._words() if self.settings.spelling.spare_words else ()
                self._last = SearchIndex.of(
                    catalog, vectors, projection, self.settings, words=words
                )
            self._last = self._last.knowing(catalog, vectors, projection)
            return self._last
