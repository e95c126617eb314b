from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.recommend.conftest import STRANGE_IDS

from longtale.arrays import microseconds
from longtale.blend.convex import ConvexBlend
from longtale.data.event import DEFAULT_KINDS, EventKind
from longtale.data.interactions import Interactions
from longtale.data.live import Live
from longtale.data.query import Queries
from longtale.data.vocabulary import Vocabulary
from longtale.errors import DataError, FilterError, QueryError, UnknownIdError
from longtale.recommend.answer import Answer
from longtale.recommend.pipeline import Recommender
from longtale.schema import Band

HIDDEN, NOT_YET = 3, 4


def _ids(answer: Answer) -> list[str]:
    return [item.id for item in answer.items]


def _touched(recommender: Recommender, user: str) -> set[str]:
    dataset = recommender.dataset
    rows = dataset.histories(np.array([dataset.users.row(user)])).items
    return set(dataset.items.ids_of(rows))


def test_a_known_user_never_gets_what_they_have_seen(recommender: Recommender) -> None:
    for user in recommender.dataset.users.ids:
        got = _ids(recommender.recommend(user, n=100))
        assert not set(got) & _touched(recommender, user)


def test_a_slate_has_no_repetition_and_falling_scores(recommender: Recommender) -> None:
    answer = recommender.recommend("user 0", n=100)
    scores = [-np.inf if item.score is None else item.score for item in answer.items]
    assert len(set(_ids(answer))) == len(answer.items)
    assert scores == sorted(scores, reverse=True)
    assert [item.rank for item in answer.items] == list(range(1, len(scores) + 1))


def test_more_than_the_catalogue_gives_all_that_is_allowed(recommender: Recommender) -> None:
    dataset = recommender.dataset
    not_available = {dataset.items.ids[HIDDEN], dataset.items.ids[NOT_YET]}
    allowed = set(dataset.items.ids) - _touched(recommender, "user 1") - not_available
    assert set(_ids(recommender.recommend("user 1", n=10_000))) == allowed


def test_hidden_and_unavailable_items_never_come(recommender: Recommender) -> None:
    ids = recommender.dataset.items.ids
    got = _ids(recommender.recommend(n=100))
    assert ids[HIDDEN] not in got
    assert ids[NOT_YET] not in got
    later = _ids(recommender.recommend(n=100, at=datetime(2101, 1, 1, tzinfo=UTC)))
    assert ids[HIDDEN] not in later
    assert ids[NOT_YET] in later


def test_contributions_sum_to_the_score(recommender: Recommender) -> None:
    for item in recommender.recommend("user 2", n=5).items:
        assert sum(item.sources.values()) == pytest.approx(item.score, abs=1e-4)


def test_a_filter_lets_only_matching_items_through(recommender: Recommender) -> None:
    answer = recommender.recommend("user 0", n=100, filter="year >= 1990")
    assert answer.items
    assert all(item.item["year"] >= 1990 for item in answer.items)


def test_a_filter_on_an_unknown_column_is_refused(recommender: Recommender) -> None:
    with pytest.raises(FilterError, match="did you mean 'year'"):
        recommender.recommend("user 0", filter="yaer >= 1990")


def test_excluded_items_never_come(recommender: Recommender) -> None:
    first = _ids(recommender.recommend("user 0"))
    assert not set(first[:2]) & set(_ids(recommender.recommend("user 0", exclude=first[:2])))


@pytest.mark.parametrize("item", STRANGE_IDS)
def test_ids_of_any_script_work(recommender: Recommender, item: str) -> None:
    assert item not in _ids(recommender.similar(item, n=100))
    assert recommender.recommend(history=[item], n=3).items


def test_an_unknown_user_is_refused_with_the_nearest(recommender: Recommender) -> None:
    with pytest.raises(UnknownIdError, match=r"unknown user 'usr 1'.*did you mean 'user"):
        recommender.recommend("usr 1")


@pytest.mark.parametrize("ask", [{"history": ["nope"]}, {"exclude": ["nope"]}])
def test_an_unknown_item_is_refused(recommender: Recommender, ask: dict[str, Any]) -> None:
    with pytest.raises(UnknownIdError, match="unknown item 'nope'"):
        recommender.recommend(**ask)


@pytest.mark.parametrize("n", [0, -3])
def test_an_empty_slate_is_refused(recommender: Recommender, n: int) -> None:
    with pytest.raises(QueryError, match=f"n is {n}"):
        recommender.recommend("user 0", n=n)


def test_anybody_gets_a_slate_even_without_history_and_words(recommender: Recommender) -> None:
    answer = recommender.recommend()
    assert len(answer.items) == 10
    assert answer.items[0].band is not Band.NEW


def test_words_find_what_they_name(recommender: Recommender) -> None:
    title = recommender.catalog.titles()[-1]
    assert "twin" in _ids(recommender.recommend(text=title, n=3))
    assert "twin" in _ids(recommender.search(title, n=3))


def test_one_event_changes_the_next_answer(recommender: Recommender) -> None:
    before = recommender.recommend(n=100)
    after = recommender.recommend(history=[before.items[0].id], n=100)
    assert _ids(after) != _ids(before)[1:]
    assert before.items[0].id not in _ids(after)


def test_an_untouched_item_is_similar_to_its_twin(recommender: Recommender) -> None:
    twin = recommender.similar("twin", n=3)
    titles = {item.id: item.item["title"] for item in twin.items}
    assert recommender.catalog.titles()[-1] in titles.values()
    assert "twin" not in titles


def test_the_twin_is_new_and_can_be_recommended(recommender: Recommender) -> None:
    items = {item.id: item for item in recommender.recommend("user 1", n=100).items}
    assert items["twin"].band is Band.NEW


def test_a_new_item_is_found_without_training(recommender: Recommender) -> None:
    added = pl.DataFrame({"item_id": ["brand new"], "title": ["submarine volcano documentary"]})
    grown = recommender.with_items(added)
    assert _ids(grown.search("volcano documentary", n=1)) == ["brand new"]
    assert "brand new" in _ids(grown.recommend("user 0", n=100))
    with pytest.raises(UnknownIdError, match="brand new"):
        recommender.similar("brand new")


def test_an_item_that_is_there_is_not_added_again(recommender: Recommender) -> None:
    again = pl.DataFrame({"item_id": ["twin"], "title": ["other"]})
    with pytest.raises(DataError, match=r"\['twin'\] are in the catalogue already"):
        recommender.with_items(again)


def test_new_items_need_their_id_column(recommender: Recommender) -> None:
    with pytest.raises(DataError, match="no column 'item_id'"):
        recommender.with_items(pl.DataFrame({"title": ["x"]}))


def test_taste_changes_the_order_of_hits(recommender: Recommender) -> None:
    words = recommender.catalog.titles()[0]
    plain = recommender.search(words, n=100)
    personal = recommender.search(words, user="user 39", personal=1.0, n=100)
    assert set(_ids(plain)) == set(_ids(personal))
    assert _ids(plain) != _ids(personal)
    assert "taste" in personal.items[0].sources


def test_blank_words_are_refused(recommender: Recommender) -> None:
    with pytest.raises(QueryError, match="blank"):
        recommender.search("  ")


def test_personal_share_has_a_range(recommender: Recommender) -> None:
    with pytest.raises(QueryError, match=r"personal is 1\.5"):
        recommender.search("space", personal=1.5)


def test_words_of_a_megabyte_are_answered(recommender: Recommender) -> None:
    assert recommender.search("rocket " * 150_000, n=1).items


@dataclass(frozen=True, eq=False)
class Broken:
    """A retriever that fails when it is asked."""

    inner: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def scores(self, queries: Queries) -> Any:
        raise MemoryError("broken on purpose")


def _with_broken(recommender: Recommender, names: set[str]) -> Recommender:
    parts = tuple(Broken(r) if r.name in names else r for r in recommender.hybrid.retrievers)
    return replace(recommender, hybrid=replace(recommender.hybrid, retrievers=parts))


def test_a_broken_part_is_named_and_the_others_answer(recommender: Recommender) -> None:
    strongest = recommender.hybrid.sources[recommender.hybrid.blender.convex.weights.argmax()]
    answer = _with_broken(recommender, {strongest}).recommend("user 0", n=5)
    assert answer.degraded == (strongest,)
    assert len(answer.items) == 5


def test_when_all_parts_are_broken_the_most_touched_items_come(recommender: Recommender) -> None:
    broken = _with_broken(recommender, set(recommender.hybrid.sources))
    answer = broken.recommend(n=5)
    counts = recommender.dataset.item_counts[recommender.dataset.items.rows(_ids(answer))]
    assert set(answer.degraded) == {"popular", "semantic"}  # all that serve a newcomer
    assert {item.reasons[0].code for item in answer.items} == {"fills_the_list"}
    assert {item.score for item in answer.items} == {None}
    assert counts.tolist() == sorted(counts.tolist(), reverse=True)
    assert counts[0] == np.delete(recommender.dataset.item_counts, [HIDDEN, NOT_YET]).max()


def _distrusting(recommender: Recommender, name: str) -> Recommender:
    """Give the same recommender under a blend that trusts all sources but one."""
    sources = recommender.hybrid.sources
    blender = ConvexBlend.equal(sources, [source for source in sources if source != name])
    return replace(recommender, hybrid=replace(recommender.hybrid, blender=blender))


def test_search_reads_words_whatever_the_blend_thinks_of_meaning(recommender: Recommender) -> None:
    title = recommender.catalog.titles()[-1]
    assert "twin" in _ids(_distrusting(recommender, "semantic").search(title, n=3))


def test_search_names_the_parts_that_failed(recommender: Recommender) -> None:
    strongest = recommender.hybrid.sources[recommender.hybrid.blender.convex.weights.argmax()]
    broken = _with_broken(recommender, {"semantic", strongest})
    assert broken.search("rocket").degraded == ("semantic",)
    assert set(broken.search("rocket", user="user 0").degraded) == {"semantic", strongest}


def _without(recommender: Recommender, name: str) -> Recommender:
    parts = tuple(r for r in recommender.hybrid.retrievers if r.name != name)
    return replace(recommender, hybrid=replace(recommender.hybrid, retrievers=parts))


def test_search_without_a_retriever_that_knows_meaning_goes_by_words(
    recommender: Recommender,
) -> None:
    found = _without(recommender, "semantic").search(recommender.catalog.titles()[-1], n=3)
    assert "twin" in _ids(found)
    assert found.degraded == ()


def test_search_in_a_catalogue_without_words_is_refused(recommender: Recommender) -> None:
    catalog = replace(recommender.catalog, text_fields=())
    wordless = replace(recommender, dataset=replace(recommender.dataset, catalog=catalog))
    with pytest.raises(QueryError, match=r"items of this recommender have none.*train again"):
        _without(wordless, "semantic").search("rocket")


def test_an_answer_is_plain_json_in_the_agreed_shape(recommender: Recommender) -> None:
    answer = recommender.recommend("user 0", n=1).as_dict()
    assert list(answer) == [
        "slate_id",
        "model_version",
        "seq",
        "took_ms",
        "stages",
        "degraded",
        "items",
    ]
    (item,) = answer["items"]
    assert list(item) == [
        "id",
        "score",
        "rank",
        "sources",
        "weights",
        "propensity",
        "band",
        "reasons",
        "item",
    ]
    assert list(item["reasons"][0]) == ["code", "evidence", "weight", "text"]


def test_each_evidence_is_an_item_of_the_history(recommender: Recommender) -> None:
    for user in ("user 0", "user 30"):
        for item in recommender.recommend(user, n=10).items:
            assert set(item.reasons[0].evidence) <= _touched(recommender, user)


def test_who_has_done_nothing_is_served_by_what_they_wrote_about_themselves(
    recommender: Recommender,
) -> None:
    dataset = recommender.dataset
    title = recommender.catalog.titles()[-1]
    written = pl.DataFrame({"about": [title] * (dataset.n_users + 1)})
    users = Vocabulary.of([*dataset.users.ids, "writer"], noun="user")
    told = replace(
        recommender,
        dataset=replace(
            dataset,
            users=users,
            profiles=written,
            profile_texts=("about",),
            interactions=_with_one_more_user(dataset.interactions),
            dismissals=_with_one_more_user(dataset.dismissals),
        ),
    )
    assert "twin" in _ids(told.recommend("writer", n=3))
    seasoned = (told.recommend("user 0"), recommender.recommend("user 0"))
    assert _ids(seasoned[0]) == _ids(seasoned[1])


def _with_one_more_user(events: Interactions) -> Interactions:
    offsets = events.histories.offsets
    offsets = np.append(offsets, offsets[-1])
    return replace(events, histories=replace(events.histories, offsets=offsets))


def test_next_answer_knows_the_event_that_just_came(recommender: Recommender) -> None:
    before = recommender.recommend("user 0", n=3)
    chosen = before.items[0].id
    after = recommender.with_events(["user 0"], [chosen])
    assert chosen not in [item.id for item in after.recommend("user 0", n=20).items]
    assert chosen in [item.id for item in recommender.recommend("user 0", n=3).items]


def test_somebody_new_is_known_after_the_first_event(recommender: Recommender) -> None:
    chosen = recommender.recommend(n=1).items[0].id
    after = recommender.with_events(["a newcomer"], [chosen])
    alike = recommender.recommend(history=[chosen], n=5)
    assert [i.id for i in after.recommend("a newcomer", n=5).items] == [i.id for i in alike.items]


def test_event_on_an_item_that_is_not_there_is_refused(recommender: Recommender) -> None:
    with pytest.raises(UnknownIdError, match="add the items first"):
        recommender.with_events(["user 0"], ["no such item"])


def test_first_event_of_a_new_item_makes_it_a_known_one(recommender: Recommender) -> None:
    frame = pl.DataFrame({"item_id": ["fresh"], "title": ["a fresh one"]})
    grown = recommender.with_items(frame)
    (row,) = grown.dataset.items.rows(["fresh"]).tolist()
    assert grown.dataset.item_counts[row] == 0
    assert grown.with_events(["user 0"], ["fresh"]).dataset.item_counts[row] == 1


def _anew(recommender: Recommender, item: str, **changes: object) -> Recommender:
    """Describe an item anew, with what it had but for some attributes."""
    row = recommender.catalog.items.row(item)
    told = recommender.catalog.frame[[row]].with_columns(
        **{name: pl.lit(value) for name, value in changes.items()}, item_id=pl.lit(item)
    )
    return recommender.with_changes(told)


def test_an_item_with_other_words_is_found_by_these_and_by_the_old_ones_no_more(
    recommender: Recommender,
) -> None:
    item, other = "twin", recommender.catalog.items.ids[10]
    old, new = (
        recommender.catalog.titles()[recommender.catalog.items.row(i)] for i in (item, other)
    )
    assert old != new
    after = _anew(recommender, item, title=new)
    assert item in _ids(after.search(new, n=2))
    assert item not in _ids(after.search(old, n=2))
    assert item in _ids(recommender.search(old, n=2))
    meaning = {r.name: r for r in after.hybrid.retrievers}["semantic"]
    scores = meaning.scores(Queries.of([[recommender.catalog.items.row(other)]]))[0]
    rows = [recommender.catalog.items.row(i) for i in (item, other)]
    assert scores[rows[0]] == pytest.approx(scores[rows[1]]), "they mean the same now"


def test_filters_and_availability_go_by_the_new_description(recommender: Recommender) -> None:
    after = _anew(recommender, "twin", year=1815, hidden=False)
    assert _ids(after.recommend(n=99, filter="year < 1900")) == ["twin"]
    hidden = _anew(recommender, "twin", hidden=True)
    assert "twin" not in _ids(hidden.recommend(n=99))
    assert "twin" not in _ids(hidden.search(recommender.catalog.titles()[-1], n=99))


def test_a_description_of_an_unknown_item_or_without_ids_is_refused(
    recommender: Recommender,
) -> None:
    with pytest.raises(UnknownIdError, match="unknown item 'nowhere'"):
        recommender.with_changes(pl.DataFrame({"item_id": ["nowhere"]}))
    with pytest.raises(DataError, match="no column 'item_id'"):
        recommender.with_changes(pl.DataFrame({"title": ["x"]}))


def test_a_forgotten_user_moves_nobodys_list_any_more_and_has_none_of_their_own(
    recommender: Recommender,
) -> None:
    row = recommender.dataset.users.row("user 0")
    after = recommender.without_user(row)
    assert "user 0" not in after.dataset.users.ids.to_list()
    with pytest.raises(UnknownIdError, match="unknown user 'user 0'"):
        after.recommend("user 0")
    assert after.dataset.histories(np.array([row])).items.tolist() == []
    assert after.recommend("user 1", n=99).items
    neighbours = {r.name: r for r in after.hybrid.retrievers}["user_knn"]
    assert neighbours.state()["indptr"][row] == neighbours.state()["indptr"][row + 1]
    assert _touched(after, "user 1") == _touched(recommender, "user 1")


def test_what_was_learned_in_rows_is_what_was_learned_by_ids(recommender: Recommender) -> None:
    at = [datetime(2026, 1, 1, tzinfo=UTC)] * 2
    users, items = ["user 0", "somebody"], [recommender.catalog.items.ids[10]] * 2
    live = Live(recommender.dataset)
    kinds = {kind.name: kind for kind in DEFAULT_KINDS}
    events = live.read(
        users,
        items,
        kinds=[recommender.dataset.kinds[0]] * 2,
        known_kinds={name: kinds.get(name, EventKind(name=name)) for name in live.dataset.kinds},
        times=np.array([microseconds(moment) for moment in at]),
    )
    one, other = recommender.having_learned(events), recommender.with_events(users, items, times=at)
    assert one.dataset.fingerprint == other.dataset.fingerprint
    assert _ids(one.recommend("somebody")) == _ids(other.recommend("somebody"))


def test_a_nudge_is_added_to_the_score_and_named(recommender: Recommender) -> None:
    queries = Queries(np.array([0], dtype=np.int32), recommender.dataset.histories(np.array([0])))
    nudge = np.zeros((1, recommender.dataset.n_items), dtype=np.float32)
    exclude = np.zeros(nudge.shape, dtype=np.bool_)
    plain = recommender.scoring.slate(queries, 99, exclude=exclude)
    last = plain.candidates.items[0, -1]
    nudge[0, last] = 100
    lifted = recommender.scoring.slate(queries, 99, exclude=exclude, nudges={"rules": nudge})
    assert lifted.candidates.items[0, 0] == last
    assert lifted.sources == (*plain.sources, "rules")
    assert lifted.contributions[-1, 0].tolist() == [
        100,
        *[0] * (len(plain.candidates.items[0]) - 1),
    ]
    rest = lifted.candidates.items[0, 1:].tolist()
    assert rest == plain.candidates.items[0, :-1].tolist()
