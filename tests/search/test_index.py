from __future__ import annotations

import threading

import numpy as np
import pytest
from tests.search.catalogs import titled

from longtale.search.index import KeptIndex, SearchIndex
from longtale.search.lexical import LexicalSettings
from longtale.search.settings import SearchSettings
from longtale.search.spelling import SpellingSettings

VECTORS, PROJECTION = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
CATALOG = titled("red shoes", "blue kettle", "steel")


def test_the_same_catalogue_is_read_once() -> None:
    kept = KeptIndex()
    first = kept.of(CATALOG, VECTORS, PROJECTION)
    assert kept.of(CATALOG, VECTORS, PROJECTION) is first


def test_another_state_of_the_catalogue_is_known_at_once() -> None:
    kept = KeptIndex()
    kept.of(CATALOG, VECTORS, PROJECTION)
    changed = titled("red shoes", "zeppelin", "steel")
    later = kept.of(changed, VECTORS, PROJECTION)
    assert later.lexical.scores("zeppelin").argmax() == 1
    assert later.speller.corrected("zepelin").text == "zeppelin"


def test_other_vectors_are_taken_over() -> None:
    kept = KeptIndex()
    kept.of(CATALOG, VECTORS, PROJECTION)
    turned = VECTORS[::-1].copy()
    assert kept.of(CATALOG, turned, PROJECTION).meaning.vectors is turned


def test_settings_stay_when_the_catalogue_changes() -> None:
    settings = SearchSettings(
        lexical=LexicalSettings(title=1.0), spelling=SpellingSettings(min_letters=9)
    )
    index = SearchIndex.of(CATALOG, VECTORS, PROJECTION, settings)
    later = index.knowing(titled("red"), VECTORS[:1], PROJECTION)
    assert later.lexical.settings == settings.lexical
    assert later.speller.settings == settings.spelling


@pytest.mark.parametrize("is_spared, found", [(True, "steal"), (False, "steel")])
def test_words_that_are_known_elsewhere_are_spared_if_wished(is_spared: bool, found: str) -> None:
    spelling = SpellingSettings(spare_words=is_spared)
    kept = KeptIndex(SearchSettings(spelling=spelling), lambda: ["steal"])
    assert kept.of(CATALOG, VECTORS, PROJECTION).speller.corrected("steal").text == found
    later = kept.of(titled("steel", "red"), VECTORS, PROJECTION)
    assert later.speller.corrected("steal").text == found


def test_threads_that_come_at_once_get_one_index() -> None:
    kept, found = KeptIndex(), []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        found.append(kept.of(CATALOG, VECTORS, PROJECTION))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(index) for index in found}) == 1
