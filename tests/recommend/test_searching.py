from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from longtale.data.candidates import Candidates, Slate
from longtale.data.query import Queries
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.errors import QueryError
from longtale.recommend.pipeline import Recommender
from longtale.recommend.present import UNSCORED
from longtale.recommend.searching import Asked, Found, Searching, kept_index
from longtale.search.index import KeptIndex
from longtale.search.settings import SearchSettings

HIDDEN = 3


@pytest.fixture(scope="module")
def shop(recommender: Recommender) -> Recommender:
    """The little world of recommendations, and some items that only have words."""
    titles = {
        "gold": "golden kettle of copper",
        "iron": "kettle of iron",
        "lamp": "paper lamp",
        "novel": "科幻小说",
    }
    frame = pl.DataFrame({"item_id": list(titles), "title": list(titles.values()), "year": 2001})
    return recommender.with_items(frame.cast({"year": recommender.catalog.frame.schema["year"]}))


def ids(found: Found) -> list[str]:
    return [hit.id for hit in found.items]


def nobody(n_items: int, n_queries: int = 1) -> np.ndarray:
    return np.zeros((n_queries, n_items), dtype=np.bool_)


def test_what_has_the_words_comes_first(shop: Recommender) -> None:
    found = shop.search("iron kettle", n=2)
    assert ids(found) == ["iron", "gold"]
    assert found.items[0].matched == ("iron", "kettle")
    assert found.items[1].matched == ("kettle",)


def test_words_of_other_scripts_are_found(shop: Recommender) -> None:
    found = shop.search("小说", n=1)
    assert ids(found) == ["novel"]
    assert found.items[0].matched == ("小说",)


def test_parts_of_the_score_are_told_and_sum_up(shop: Recommender) -> None:
    for hit in shop.search("kettle", user="user 3", n=5).items:
        assert set(hit.sources) == {"lexical", "meaning", "taste"}
        assert sum(hit.sources.values()) == pytest.approx(hit.score, abs=1e-4)
        moved = sum(abs(share) for share in hit.sources.values())
        assert hit.taste_share == pytest.approx(abs(hit.sources["taste"]) / moved)


def test_the_reason_names_the_words_that_match(shop: Recommender) -> None:
    (hit,) = shop.search("the kettle of iron", n=1).items
    (why,) = hit.reasons
    assert why.code == "matches_your_words"
    assert why.text == "it has 'kettle' and 'iron'"
    assert why.weight == pytest.approx(1)
    assert hit.taste_share == 0


def test_where_no_word_matches_the_reason_is_meaning(shop: Recommender) -> None:
    (hit,) = shop.search("xylophone", n=1).items
    assert hit.matched == ()
    assert hit.reasons[0].code in ("matches_your_words", "fills_the_list")
    assert "xylophone" not in hit.reasons[0].text


def test_taste_is_a_reason_where_it_adds_most(shop: Recommender) -> None:
    found = shop.search("no such word anywhere", user="user 39", personal=1.0, n=3)
    best = max(found.items, key=lambda hit: hit.sources["taste"])
    assert "your_taste" in [why.code for why in best.reasons]


def test_misspelled_words_are_corrected_and_told(shop: Recommender) -> None:
    found = shop.search("iron kettel", n=1)
    assert ids(found) == ["iron"]
    assert found.searched_for == "iron kettle"
    assert found.replaced == (("kettel", "kettle"),)


def test_words_are_taken_as_they_are_where_that_is_asked(shop: Recommender) -> None:
    found = shop.search("iron kettel", n=1, correct=False)
    assert found.searched_for == "iron kettel"
    assert found.replaced == ()
    assert found.items[0].matched == ("iron",)


def test_what_is_not_wanted_is_not_matched(shop: Recommender) -> None:
    found = shop.search("kettle, no copper", n=2)
    assert ids(found) == ["iron", "gold"]
    assert [hit.matched for hit in found.items] == [("kettle",), ("kettle",)]


def test_an_answer_is_plain_json_with_what_was_searched_for(shop: Recommender) -> None:
    plain = shop.search("iron kettel", n=1).as_dict()
    assert plain["searched_for"] == "iron kettle"
    assert plain["replaced"] == [{"word": "kettel", "by": "kettle"}]
    (hit,) = plain["items"]
    assert hit["matched"] == ["iron", "kettle"]
    assert hit["taste_share"] == 0
    assert hit["rank"] == 1
    assert list(plain)[:3] == ["slate_id", "model_version", "seq"]


def test_hidden_items_and_those_a_filter_rules_out_never_come(shop: Recommender) -> None:
    hidden = shop.catalog.items.ids[HIDDEN]
    assert hidden not in ids(shop.search(shop.catalog.titles()[HIDDEN], n=100))
    late = shop.search("kettle", n=100, filter="year >= 1990")
    assert late.items
    assert all(hit.item["year"] >= 1990 for hit in late.items)


def test_the_score_of_an_item_does_not_depend_on_what_else_may_come(shop: Recommender) -> None:
    every = {hit.id: hit.score for hit in shop.search("kettle", n=100).items}
    few = {hit.id: hit.score for hit in shop.search("kettle", n=100, filter="year > 2000").items}
    assert few
    assert few == {item: every[item] for item in few}


def test_the_more_taste_is_asked_for_the_more_it_counts(shop: Recommender) -> None:
    some, full = (
        {hit.id: hit.sources["taste"] for hit in found.items}
        for found in (
            shop.search("kettle", user="user 3", personal=share, n=100) for share in (0.3, 1.0)
        )
    )
    assert max(some.values()) > 0 > min(some.values())
    for item, share in some.items():
        assert share / 0.3 == pytest.approx(full[item], rel=1e-4, abs=1e-6)


def test_taste_is_silent_where_an_item_is_asked_for_by_name(shop: Recommender) -> None:
    named = shop.search("golden kettle of copper", user="user 3", personal=1.0, n=1)
    vague = shop.search("no such word anywhere", user="user 3", personal=1.0, n=1)
    assert ids(named) == ["gold"]
    assert named.items[0].taste_share < 0.05 < 0.2 < vague.items[0].taste_share


def test_whoever_is_nobody_gets_no_taste(shop: Recommender) -> None:
    assert set(shop.search("kettle", n=1).items[0].sources) == {"lexical", "meaning"}
    unasked = shop.search("kettle", user="user 3", personal=0.0, n=1)
    assert set(unasked.items[0].sources) == {"lexical", "meaning"}


def test_a_batch_finds_what_single_queries_find(shop: Recommender) -> None:
    searching, n_items = shop.searching, len(shop.catalog)
    texts = ["iron kettle", "小说", "paper lamp, no iron"]
    rows = np.array([0, 3, 39], dtype=np.int32)
    users = Queries(rows, shop.dataset.histories(rows))
    batch = searching.slate(texts, 4, exclude=nobody(n_items, 3), users=users, personal=0.5)
    for row, text in enumerate(texts):
        single = searching.slate(
            [text], 4, exclude=nobody(n_items), users=users.take(np.array([row])), personal=0.5
        )
        np.testing.assert_array_equal(batch.candidates.items[row], single.candidates.items[0])
        np.testing.assert_allclose(
            batch.candidates.scores[row], single.candidates.scores[0], rtol=1e-4
        )


def test_where_fewer_may_come_the_list_ends_in_padding(shop: Recommender) -> None:
    exclude = ~nobody(len(shop.catalog))
    exclude[0, shop.catalog.items.rows(["iron", "gold"])] = False
    slate = shop.searching.slate(["copper kettle"], 4, exclude=exclude)
    assert slate.candidates.items[0].tolist() == [
        *shop.catalog.items.rows(["gold", "iron"]).tolist(),
        -1,
        -1,
    ]
    assert np.isnan(slate.candidates.scores[0, 2:]).all()


def test_taste_chooses_among_the_candidates_alone(shop: Recommender) -> None:
    asked: list[Any] = []

    def slates(users: Queries, k: int, *, exclude: np.ndarray) -> Slate:
        asked.append((k, np.flatnonzero(~exclude[0])))
        return shop.scoring.slate(users, k, exclude=exclude)

    settings = shop.searching.settings
    few = settings.personal.model_copy(update={"n_candidates": 3})
    searching = replace(
        shop.searching, slates=slates, settings=settings.model_copy(update={"personal": few})
    )
    users = Queries(np.array([3], dtype=np.int32), shop.dataset.histories(np.array([3])))
    best = searching.slate(["kettle"], 3, exclude=nobody(len(shop.catalog)))
    searching.slate(["kettle"], 2, exclude=nobody(len(shop.catalog)), users=users, personal=1.0)
    ((k, items),) = asked
    assert k == 3
    assert items.tolist() == sorted(best.candidates.items[0].tolist())


def test_as_many_come_as_are_asked_for_however_few_taste_may_choose_from(
    shop: Recommender,
) -> None:
    settings = shop.searching.settings
    few = settings.personal.model_copy(update={"n_candidates": 2})
    searching = replace(shop.searching, settings=settings.model_copy(update={"personal": few}))
    slate = searching.slate(["kettle"], 7, exclude=nobody(len(shop.catalog)))
    assert (slate.candidates.items[0] >= 0).sum() == 7


def test_an_item_that_only_fills_lists_does_not_drown_the_taste_for_others(
    shop: Recommender,
) -> None:
    def slates(users: Queries, k: int, *, exclude: np.ndarray) -> Slate:
        scores = np.linspace(0, 1, exclude.shape[1], dtype=np.float32)[None].copy()
        scores[0, -1] = UNSCORED
        return Slate.of(Candidates.best(scores, k), scores[None], sources=("some",))

    n_items = len(shop.catalog)
    users = Queries.of([[]])
    slate = replace(shop.searching, slates=slates).slate(
        ["kettle"], n_items, exclude=nobody(n_items), users=users, personal=1.0
    )
    taste = dict(zip(slate.candidates.items[0], slate.contributions[2, 0], strict=True))
    assert taste[n_items - 1] == 0
    assert taste[n_items - 2] > 0.1 > -0.1 > taste[0]


def test_feedback_brings_what_is_near_to_the_best_hits(shop: Recommender) -> None:
    plain = shop.searching.settings
    deaf = plain.model_copy(update={"fusion": plain.fusion.model_copy(update={"feedback": 0.0})})
    with_feedback, without = (
        replace(shop.searching, settings=settings).relevance(["golden"])[0][1, 0]
        for settings in (plain, deaf)
    )
    iron = shop.catalog.items.row("iron")
    assert with_feedback[iron] > without[iron]


def test_new_words_of_an_item_are_found_at_once(shop: Recommender) -> None:
    row = shop.catalog.items.row("lamp")
    told = shop.catalog.frame[[row]].with_columns(title=pl.lit("zeppelin"), item_id=pl.lit("lamp"))
    changed = shop.with_changes(told)
    found = changed.search("zepelin", n=1)
    assert ids(found) == ["lamp"]
    assert found.searched_for == "zeppelin"
    assert shop.search("paper lamp", n=1).items[0].id == "lamp"


def test_the_catalogue_is_read_once_for_all_that_follow_from_it(shop: Recommender) -> None:
    fresh = replace(shop, search_index=KeptIndex())
    later = fresh.with_events(["user 0"], ["iron"])
    assert later.searching.index is fresh.searching.index


def test_the_reason_names_words_that_a_dictionary_knows_too(shop: Recommender) -> None:
    words = replace(shop, search_index=KeptIndex(words=lambda: ["kettle", "iron"]))
    (hit,) = words.search("the kettle of iron", n=1).items
    assert hit.reasons[0].text == "it has 'kettle' and 'iron'"


def test_words_that_the_encoder_knows_are_not_taken_for_others(shop: Recommender) -> None:
    class Reader(HashedTextEncoder):
        def words(self) -> frozenset[str]:
            return frozenset({"nettle"})

    vectors = replace(shop.item_vectors, encoder=Reader(shop.item_vectors.encoder.dim))
    plain, spared = (
        replace(shop, search_index=kept_index(own, SearchSettings()))
        for own in (shop.item_vectors, vectors)
    )
    assert plain.search("nettle").searched_for == "kettle"
    assert spared.search("nettle").searched_for == "nettle"


@pytest.mark.parametrize(
    "asked, match",
    [
        ({"text": " \n"}, "are blank"),
        ({"text": "x", "personal": -0.1}, r"personal is -0\.1; it must be from 0"),
        ({"text": "x", "personal": float("nan")}, "personal is nan"),
    ],
)
def test_a_search_that_cannot_be_is_refused(asked: dict[str, Any], match: str) -> None:
    with pytest.raises(QueryError, match=match):
        Asked(**asked)


def test_when_the_encoder_fails_words_alone_answer(shop: Recommender) -> None:
    class Broken:
        def of_words(self, texts: list[str]) -> Any:
            raise MemoryError("broken on purpose")

    searching: Searching = replace(shop.searching, item_vectors=Broken())
    slate = searching.slate(["iron kettle"], 2, exclude=nobody(len(shop.catalog)))
    assert slate.degraded == ("semantic",)
    assert slate.candidates.items[0].tolist() == shop.catalog.items.rows(["iron", "gold"]).tolist()
