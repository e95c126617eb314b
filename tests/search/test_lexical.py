from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import bm25s
import numpy as np
import polars as pl
import pytest
from tests.search.catalogs import catalog_of, titled

from longtale.data.catalog import Catalog
from longtale.data.vocabulary import Vocabulary
from longtale.schema import Role
from longtale.search.lexical import LexicalIndex, LexicalSettings
from longtale.search.words import terms_of, words_in

WORDS = ("red", "blue", "shoes", "kettle", "of", "steel", "print", "小说")


def written(rng: np.random.Generator, n_items: int, longest: int) -> list[str]:
    """Give cells of up to so many words, the first of them empty."""
    sizes = [0, *rng.integers(1, longest, size=n_items - 1)]
    return [" ".join(rng.choice(WORDS, size=size)) for size in sizes]


def terms(text: str | None) -> list[str]:
    words = words_in(pl.Series([text], dtype=pl.String))[0]
    return [term for of_word in terms_of(words.to_list()) for term, _ in of_word]


def slow_scores(
    fields: Mapping[str, Sequence[str]], text: str, settings: LexicalSettings
) -> list[float]:
    """BM25F, written down as the formula reads."""
    counts = {name: [Counter(terms(cell)) for cell in cells] for name, cells in fields.items()}
    n_items = len(next(iter(fields.values())))
    lengths = {name: [own.total() for own in of_field] for name, of_field in counts.items()}
    scores = []
    for item in range(n_items):
        score = 0.0
        for term in dict.fromkeys(terms(text)):
            holders = [
                any(of_field[other][term] for of_field in counts.values())
                for other in range(n_items)
            ]
            idf = math.log(1 + (n_items - sum(holders) + 0.5) / (sum(holders) + 0.5))
            weighed = 0.0
            for name, of_field in counts.items():
                mean = np.mean([length for length in lengths[name] if length])
                norm = 1 - settings.b + settings.b * lengths[name][item] / mean
                weighed += settings.weight(Role(name)) * of_field[item][term] / norm
            score += idf * weighed / (settings.k1 + weighed)
        scores.append(score)
    return scores


def test_scores_are_those_of_the_formula(rng: np.random.Generator) -> None:
    fields = {"title": written(rng, 12, 4), "tags": written(rng, 12, 3)[::-1]}
    fields["description"] = written(rng, 12, 20)
    index = LexicalIndex.of(catalog_of(fields))
    for text in ("red shoes", "steel kettle of steel", "小说", "unknown"):
        expected = slow_scores(fields, text, index.settings)
        np.testing.assert_allclose(index.scores(text), expected, rtol=1e-5)


def test_one_field_scores_as_the_package_bm25s_has_it(rng: np.random.Generator) -> None:
    texts = written(rng, 30, 12)[1:]
    other = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    other.index([terms(text) for text in texts], show_progress=False)
    index = LexicalIndex.of(titled(*texts), LexicalSettings(title=1.0))
    np.testing.assert_allclose(
        index.scores("red steel kettle"), other.get_scores(terms("red steel kettle")), rtol=1e-5
    )


@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_its_weight(role: Role) -> None:
    catalog = catalog_of({"own": ["red", "blue", "blue"]}, {"own": role})
    score = {
        weight: LexicalIndex.of(catalog, LexicalSettings(**{role.value: weight})).scores("red")[0]
        for weight in (0.5, 4.0)
    }
    assert score[4.0] > score[0.5]


def test_a_word_in_the_title_counts_more_than_one_in_the_description() -> None:
    fields = {"title": ["steel", "red"], "description": ["red kettle", "steel kettle"]}
    first, second = LexicalIndex.of(catalog_of(fields)).scores("steel")
    assert first > second > 0


def test_length_and_repetition_count_as_set() -> None:
    catalog = titled("red", "red shoes of steel", "red red red", "blue")
    short, long, *_ = LexicalIndex.of(catalog).scores("red")
    assert short > long
    even = LexicalIndex.of(catalog, LexicalSettings(b=0)).scores("red")
    assert even[0] == even[1] < even[2]
    soon = LexicalIndex.of(catalog, LexicalSettings(b=0, k1=0.01)).scores("red")
    assert soon[2] / soon[0] < even[2] / even[0]


def test_what_nobody_wrote_scores_nothing() -> None:
    index = LexicalIndex.of(titled("red shoes", None))
    assert index.scores("zebra").tolist() == [0.0, 0.0]
    assert index.scores("").tolist() == [0.0, 0.0]
    assert index.scores("shoe")[1] == 0
    assert index.matched("zebra", np.array([0, 1])) == [(), ()]


def test_matched_words_are_shown_as_they_were_asked() -> None:
    index = LexicalIndex.of(titled("Red shoe", "Blue kettle", "科幻小说"))
    found = index.matched("blue SHOES and 小说集", np.array([2, 0, 1]))
    assert found == [("小说",), ("shoes",), ("blue",)]


def test_repeated_words_of_a_query_count_once() -> None:
    index = LexicalIndex.of(titled("red shoes", "blue shoes"))
    np.testing.assert_array_equal(index.scores("red red shoe shoes"), index.scores("red shoes"))


def _changed(catalog: Catalog, row: int, title: str | None) -> Catalog:
    titles = catalog.frame["title"].to_list()
    titles[row] = title
    return replace(catalog, frame=catalog.frame.with_columns(title=pl.Series(titles)))


def test_a_grown_and_changed_index_is_as_if_made_anew(rng: np.random.Generator) -> None:
    catalog = titled(*written(rng, 20, 5))
    index = LexicalIndex.of(catalog)
    more = titled(*written(rng, 5, 5), "zeppelin")
    ids = Vocabulary.of([f"new {row}" for row in range(len(more))], noun="item")
    later = _changed(catalog.extended(replace(more, items=ids)), 3, "balloon of steel")
    grown, anew = index.knowing(later), LexicalIndex.of(later)
    for text in ("red", "steel kettle", "zeppelin", "balloon", "小说"):
        np.testing.assert_allclose(grown.scores(text), anew.scores(text), rtol=1e-6)
        np.testing.assert_allclose(index.scores(text), LexicalIndex.of(catalog).scores(text))
    assert dict(zip(grown.words, grown.frequencies, strict=True)) == {
        **dict.fromkeys(grown.words, 0),
        **dict(zip(anew.words, anew.frequencies, strict=True)),
    }


def test_only_texts_that_differ_are_read_again(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = titled(*written(rng, 20, 5))
    index = LexicalIndex.of(catalog)
    read: list[str] = []

    def reading(texts: pl.Series) -> pl.Series:
        read.extend(texts)
        return words_in(texts)

    monkeypatch.setattr("longtale.search.lexical.words_in", reading)
    index.knowing(_changed(_changed(catalog, 7, "balloon"), 0, None))
    assert read == [None, "balloon"]


def test_a_word_that_left_the_catalogue_is_not_known_any_more() -> None:
    catalog = titled("red shoes", "blue kettle")
    index = LexicalIndex.of(catalog).knowing(_changed(catalog, 1, "blue"))
    assert index.knows(["kettle", "blue", "blues"]) == [False, True, True]


def test_a_text_that_was_missing_is_read() -> None:
    index = LexicalIndex.of(titled("red", None)).knowing(titled("red", "blue"))
    assert index.scores("blue").argmax() == 1


def test_the_same_columns_in_other_roles_are_weighed_anew() -> None:
    cells = {"one": ["red", "blue"], "other": ["blue", "red"]}
    before, after = (
        catalog_of(cells, dict(zip(cells, roles, strict=True)))
        for roles in ((Role.TITLE, Role.TAGS), (Role.TAGS, Role.TITLE))
    )
    index = LexicalIndex.of(before).knowing(after)
    assert index.scores("red").argmax() == 1


def test_other_text_fields_are_read_anew() -> None:
    index = LexicalIndex.of(titled("red", "blue"))
    other = catalog_of({"title": ["blue", "red"], "tags": ["steel", None]})
    np.testing.assert_array_equal(
        index.knowing(other).scores("steel blue"), LexicalIndex.of(other).scores("steel blue")
    )


def test_items_that_hold_a_word_are_named() -> None:
    index = LexicalIndex.of(titled("red shoes", "blue shoe", "小说家", "小说"))
    shoes, writer = index.holding(["shoes", "小说家"])
    assert shoes.tolist() == [0, 1]
    assert writer.tolist() == [2]


@pytest.mark.parametrize("n_items", [0, 3])
def test_a_catalogue_without_text_fields_has_no_words(n_items: int) -> None:
    items = Vocabulary.of([str(row) for row in range(n_items)], noun="item")
    index = LexicalIndex.of(Catalog(items, pl.DataFrame({"year": range(n_items)})))
    assert index.scores("red").tolist() == [0.0] * n_items
    assert index.matched("red", np.arange(n_items)) == [()] * n_items
    assert index.frequencies.tolist() == []
