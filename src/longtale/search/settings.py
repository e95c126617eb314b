"""All settings of a search."""

from __future__ import annotations

from longtale.search.fusion import FusionSettings
from longtale.search.lexical import LexicalSettings
from longtale.search.personal import PersonalSettings
from longtale.search.spelling import SpellingSettings
from longtale.settings import Settings


class SearchSettings(Settings):
    """From a query in words to a list of hits."""

    lexical: LexicalSettings = LexicalSettings()
    """Search by words (BM25 over several fields)."""
    spelling: SpellingSettings = SpellingSettings()
    """Words that no item has."""
    fusion: FusionSettings = FusionSettings()
    """Words and meaning together."""
    personal: PersonalSettings = PersonalSettings()
    """The user's taste."""
