from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.serve.said import ask, event, history, ids, item, places, record, scores

from longtale.blend.convex import ConvexBlend
from longtale.blend.gate import GatedBlend
from longtale.blend.hybrid import Hybrid
from longtale.data.record import RecordKind
from longtale.errors import EncoderError, QueryError, UnknownIdError
from longtale.recommend.dials import Dials
from longtale.recommend.scoring import Scoring
from longtale.serve.answering import Ask, ordered
from longtale.serve.likeness import SIMILAR_BY, alike
from longtale.serve.messages import SearchQuery
from longtale.serve.pace import Level, Pace
from longtale.serve.searching import searched


def rule(own_id: str, action: str, **more):
    return record(RecordKind.RULE, own_id, {"action": action, **more})


def everybody_gets(engine) -> dict[str, list[str]]:
    """Give all that comes in each kind of list, as long as lists can be."""
    world, views = engine.world, engine.views
    return {
        **{f"recommend {level.name}": ids(ask(engine, level=level)) for level in Level},
        **{f"similar {by}": ids(alike(world, views, "i0", Ask(n=100), by)) for by in SIMILAR_BY},
        "search": ids(searched(world, views, SearchQuery(q="space", n=100))),
    }


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"hidden": True},
        {"available_until": "2020-01-01"},
        {"available_from": "2999-01-01T00:00:00Z"},
    ],
)
def test_what_cannot_be_shown_leaves_every_list_at_once_and_comes_back(engine, body):
    lists = everybody_gets(engine)
    assert all("i2" in found for found in lists.values()), lists
    for renew in (lambda: None, engine.renew):
        engine.append([item("i2", body)])
        renew()
        assert not [name for name, found in everybody_gets(engine).items() if "i2" in found]
    engine.append([item("i2", {"title": "The planet space", "genres": "space"})])
    engine.renew()
    assert all("i2" in found for found in everybody_gets(engine).values())


def test_an_item_leaves_every_list_at_the_moment_it_expires(engine):
    engine.append([item("i2", {"title": "x", "available_until": "2026-06-01T12:00:00Z"})])
    engine.renew()
    last = datetime(2026, 6, 1, 11, 59, 59, 999_999, tzinfo=UTC)
    assert "i2" in ids(ask(engine, at=last))
    assert "i2" not in ids(ask(engine, at=datetime(2026, 6, 1, 12, tzinfo=UTC)))


@pytest.mark.parametrize("where", ["recommend", "similar", "search"])
def test_a_rule_hides_in_the_lists_that_it_names_and_in_no_other(engine, where):
    engine.append([rule("r", "hide", items=["i2"], where=[where])])
    for name, found in everybody_gets(engine).items():
        assert ("i2" in found) == (not name.startswith(where)), name


@pytest.mark.parametrize("where", ["recommend", "similar"])
def test_a_boost_lifts_and_a_bury_lowers_in_the_lists_that_it_names(engine, where):
    def place() -> int:
        if where == "recommend":
            return ids(ask(engine, "u0")).index("i13")
        found = alike(engine.world, engine.views, "i0", Ask(n=100), "blend")
        return ids(found).index("i13")

    before = place()
    engine.append([rule("r", "boost", items=["i13"], strength=5, where=[where])])
    assert place() == 0 < before
    engine.append([rule("r", "bury", items=["i13"], strength=9, where=[where])])
    assert place() == len(ids(ask(engine, "u0"))) - 1 if where == "recommend" else place() == 15
    assert any("rules" in found.sources for found in ask(engine, "u0").items) == (
        where == "recommend"
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 11])
@pytest.mark.parametrize(
    ("pins", "expected"),
    [
        ([{"items": ["i13"], "place": 1}], {0: "i13"}),
        ([{"items": ["i13", "i12"], "place": 2}], {1: "i13", 2: "i12"}),
        ([{"items": ["i13", "i13"], "place": 1}], {0: "i13"}),
        ([{"items": ["i13"], "place": 1}, {"items": ["i13"], "place": 3}], {0: "i13"}),
        ([{"items": ["i13"], "place": 1}, {"items": ["i12"], "place": 1}], {0: "i12"}),
    ],
)
def test_pins_stand_at_their_places_once_in_a_list_as_long_as_asked(engine, n, pins, expected):
    engine.append([rule(f"r{k}", "pin", **pin) for k, pin in enumerate(pins)])
    found = ask(engine, "u0", n=n)
    assert len(found.items) == n
    assert len(set(ids(found))) == n
    assert [each.rank for each in found.items] == list(range(1, n + 1))
    for place, pinned in expected.items():
        if place < n:
            assert ids(found)[place] == pinned
            assert found.items[place].reasons[0].code == "chosen_by_editors"


def test_what_must_not_come_is_not_pinned_either(engine):
    engine.append([rule("r", "pin", items=["i0", "i13", "i12", "i11"]), event("u0", "i12")])
    engine.append([item("i13", None), record(RecordKind.TASTE, "u0", {"muted": ["i11"]})])
    found = ask(engine, "u0")
    assert not {"i0", "i13", "i12", "i11"} & set(ids(found))
    assert "chosen_by_editors" not in {why.code for each in found.items for why in each.reasons}


def test_a_limit_holds_in_recommendations_and_moves_nothing_in_an_own_list(engine):
    def own() -> list[str]:
        mine = ["i1", "i2", "i3", "i9"]
        return ids(ordered(engine.world, engine.views, Ask("u0"), mine))

    before = own()
    assert before[-1] == "i9"
    engine.append([rule("r", "limit", column="genres", at_most=1)])
    genres = [each.item["genres"] for each in ask(engine, n=2).items]
    assert sorted(genres) == ["love", "space"]
    assert own() == before


def test_a_rule_that_fits_no_column_of_this_bundle_is_passed_over_and_flagged(engine):
    fine = ids(ask(engine, "u0"))
    for each in (
        rule("r", "limit", column="no such column", at_most=1),
        rule("r", "hide", filter="no_such_column = 1"),
    ):
        engine.append([each])
        found = ask(engine, "u0")
        assert "rules" in found.degraded
        assert ids(found) == fine
        assert ids(ordered(engine.world, engine.views, Ask("u0"), fine)) == fine
    with pytest.raises(QueryError, match="no such column"):
        ask(engine, "u0", dials=Dials(at_most={"no such column": 1}))


def test_a_taste_moves_the_scores_and_says_by_how_much(engine):
    def means(answer):
        found = scores(answer)
        return [np.mean([found[f"i{row}"] for row in rows]) for rows in ((4, 5, 6), (11, 12, 13))]

    engine.append([event("ann", "i0"), event("ann", "i8")])
    space, love = means(ask(engine, "ann"))
    engine.append([record(RecordKind.TASTE, "ann", {"more": ["love"], "less": ["space"]})])
    found = ask(engine, "ann")
    assert means(found)[0] < space
    assert means(found)[1] > love
    assert all("wishes" in each.sources for each in found.items)
    assert "wishes" not in ask(engine, "bob").items[0].sources


def test_a_muted_item_comes_to_nobody_who_muted_it_and_to_others_all_the_same(engine):
    engine.append([record(RecordKind.TASTE, "ann", {"muted": ["i5", "nowhere"]})])
    for level in Level:
        assert "i5" not in ids(ask(engine, "ann", level=level))
        assert "i5" in ids(ask(engine, "bob", level=level))
    found = searched(engine.world, engine.views, SearchQuery(q="space comet", user="ann", n=50))
    assert "i5" not in ids(found)


def test_a_newcomer_is_answered_by_what_they_wrote_about_themselves(engine):
    nobody = ids(ask(engine, "nobody"))
    engine.append([record(RecordKind.USER, "ann", {"about": "love and a wedding"})])
    love = {f"i{row}" for row in range(8, 16)}
    assert set(ids(ask(engine, "ann"))[:8]) == love != set(nobody[:8])
    assert ids(ask(engine, "ann")) == ids(ask(engine, "u19")), "the data say the same of this one"
    engine.append([record(RecordKind.USER, "u19", None)])
    assert ids(ask(engine, "u19")) == nobody


def test_what_was_touched_in_a_session_counts_and_does_not_come_again(engine):
    found = ask(engine, recent=("i0", "i1", "nowhere"))
    assert not {"i0", "i1"} & set(ids(found))
    assert "i2" in ids(found)[:6]
    assert {"i0", "i1"} & set(found.items[0].reasons[0].evidence)
    again = ask(engine, "u1", recent=("i0",))
    assert not {"i0", *history(engine, "u1")} & set(ids(again))


def test_an_own_list_comes_back_whole_seen_and_hidden_items_too(engine):
    engine.append([item("i3", None), rule("r", "pin", items=["i13"])])
    own = ["i0", "i3", "i13", "nowhere", "i0"]
    found = ordered(engine.world, engine.views, Ask(user="u0"), own)
    assert sorted(ids(found)) == ["i0", "i13", "i3"]
    assert ids(found).index("i0") < ids(found).index("i13")
    assert found.seq == 2


def test_an_own_list_of_unknown_items_is_empty(engine):
    assert ids(ordered(engine.world, engine.views, Ask(user="u0"), ["x", "y"])) == []


def test_similar_items_are_near_by_meaning_or_together(engine):
    for by in SIMILAR_BY:
        found = alike(engine.world, engine.views, "i0", Ask(n=7), by)
        assert "i0" not in ids(found)
        assert set(found.items[0].sources) >= set(SIMILAR_BY[by]) & {"semantic", "item_knn"}
        space = {f"i{row}" for row in range(7)}
        assert set(ids(found)[:3]) <= space | {"a/b?c=d&e 🎬", "i99"}
    with pytest.raises(UnknownIdError, match="unknown item 'nowhere'"):
        alike(engine.world, engine.views, "nowhere", Ask(), "blend")


def test_similar_says_what_it_needs_where_no_part_can_say_it(make_engine, store, recommender):
    names = ("popular", "semantic")
    parts = tuple(r for r in recommender.hybrid.retrievers if r.name in names)
    blender = GatedBlend.flat(ConvexBlend.equal(names, names), recommender.hybrid.blender.items)
    only = replace(recommender, hybrid=Hybrid(parts, blender))
    engine = make_engine(store, found=only)
    with pytest.raises(QueryError, match="by='together' needs one of item_knn, ease, als"):
        alike(engine.world, engine.views, "i0", Ask(), "together")
    assert alike(engine.world, engine.views, "i0", Ask(), "semantic").items


def test_whatever_fails_counts_alone_still_answer(engine, monkeypatch):
    def fail(*_, **__):
        raise ArithmeticError("a part that nobody foresaw")

    monkeypatch.setattr(Scoring, "slate", fail)
    engine.append([event("u0", "i9"), rule("r", "hide", items=["i10"])])
    found = ask(engine, "u0")
    assert found.degraded == ("popular",)
    assert not {"i9", "i10", *history(engine, "u0")} & set(ids(found))
    assert len(found.items) == 17 - 6 - 2
    assert ids(ordered(engine.world, engine.views, Ask(), ["i0", "i99"])) == ["i0", "i99"]


def test_words_that_cannot_be_read_are_left_out_and_flagged(engine, monkeypatch):
    engine.append([record(RecordKind.TASTE, "ann", {"more": ["love"]}), event("ann", "i0")])

    def fail(*_, **__):
        raise EncoderError("the language model is gone")

    monkeypatch.setattr(type(engine.world.recommender.item_vectors), "of_words", fail)
    assert ask(engine, "u0").degraded == ()
    for found in (ask(engine, "u0", text="space"), ask(engine, "ann")):
        assert found.degraded == ("words",)
        assert found.items


@pytest.mark.parametrize(
    ("level", "degraded"),
    [(Level.FULL, ()), (Level.QUICK, ("quick",)), (Level.POPULAR, ("popular",))],
)
def test_each_rung_answers_and_says_that_it_did(engine, level, degraded):
    found = ask(engine, "u0", level=level)
    assert found.degraded == degraded
    assert found.items


def test_a_budget_takes_the_best_rung_that_usually_keeps_it():
    pace = Pace()
    assert pace.best_within(None) is Level.FULL
    assert pace.best_within(0.001) is Level.FULL, "nothing is known yet"
    for level, ms in ((Level.FULL, 30), (Level.QUICK, 5), (Level.POPULAR, 1)):
        pace.took(level, ms)
    assert [pace.best_within(ms) for ms in (31, 29, 4, 0.5)] == [
        Level.FULL,
        Level.QUICK,
        Level.POPULAR,
        Level.POPULAR,
    ]
    for _ in range(100):
        pace.took(Level.FULL, 2)
    assert pace.best_within(4) is Level.FULL


def test_a_filter_lets_through_what_meets_it_and_nothing_else(engine):
    found = ask(engine, "u0", filter="genres = 'love' and year >= 1990")
    assert {each.item["genres"] for each in found.items} == {"love"}
    assert places(found, ids(found)) == list(range(len(found.items)))
