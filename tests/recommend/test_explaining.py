from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from longtale.arrays import Floats, Mask
from longtale.data.query import Queries
from longtale.errors import UnknownIdError
from longtale.explain.why_not import Change, Tried
from longtale.rank.evidence import ItemEvidence
from longtale.rank.features import Scored
from longtale.recommend.answer import Answer, AnswerItem
from longtale.recommend.case import Case
from longtale.recommend.dials import Dials
from longtale.recommend.explaining import explain, why_not
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question

HIDDEN, NOT_YET, TWIN = 3, 4, 19
USER = "user 2"


def ids_of(answer: Answer) -> list[str]:
    return [item.id for item in answer.items]


def found_in(answer: Answer, item: str) -> AnswerItem:
    return next(one for one in answer.items if one.id == item)


def history_of(recommender: Recommender, user: str) -> list[str]:
    dataset = recommender.dataset
    row = dataset.users.row(user)
    return dataset.items.ids_of(dataset.histories(np.array([row])).items)


def test_contributions_sum_to_what_lifts_the_score_above_the_mean(
    recommender: Recommender,
) -> None:
    question = Question.of(recommender, USER)
    for item in recommender.recommend(USER, n=5).items:
        found = explain(recommender, question, item.id)
        assert found.score == pytest.approx(item.score, abs=1e-4)
        assert sum(found.contributions.values()) == pytest.approx(
            found.score - found.mean, abs=1e-4
        )
        assert (found.rank, found.place, found.barred_by) == (item.rank, item.rank, None)
        assert found.weights == pytest.approx(dict(item.weights), abs=1e-5)


def test_the_mean_is_that_of_all_that_may_come(recommender: Recommender) -> None:
    everything = recommender.recommend(USER, n=1000)
    found = explain(recommender, Question.of(recommender, USER), everything.items[0].id)
    scores = [item.score or 0.0 for item in everything.items]
    assert found.mean == pytest.approx(np.mean(scores), abs=1e-4)
    assert found.n_candidates == len(everything.items)


def test_every_item_that_is_named_is_in_the_history(recommender: Recommender) -> None:
    for user in recommender.dataset.users.ids.head(6):
        own = set(history_of(recommender, user))
        question = Question.of(recommender, user)
        for item in recommender.recommend(user, n=4).items:
            found = explain(recommender, question, item.id)
            assert {cited.item.id for why in found.reasons for cited in why.evidence} <= own
            assert {effect.item.id for effect in found.history} == own
            if found.counterfactual is not None:
                assert {one.id for one in found.counterfactual.without} <= own


def test_what_would_be_without_an_item_is_what_recommend_says_without_it(
    recommender: Recommender,
) -> None:
    history = history_of(recommender, USER)
    item = recommender.recommend(history=history, n=2).items[1].id
    found = explain(recommender, Question.of(recommender, history=history), item)
    assert len(found.history) == found.n_history == len(set(history))
    for effect in found.history:
        others = [one for one in history if one != effect.item.id]
        answer = recommender.recommend(history=others, exclude=[effect.item.id], n=1000)
        without = found_in(answer, item)
        scores = [one.score or 0.0 for one in answer.items]
        assert without.rank == effect.rank
        lifted = found.score - found.mean - (without.score - np.mean(scores))
        assert effect.drop == pytest.approx(lifted, abs=1e-3)
    drops = [effect.drop for effect in found.history]
    assert drops == sorted(drops, reverse=True)


def test_a_counterfactual_is_what_recommend_says(recommender: Recommender) -> None:
    n_found = 0
    for user in recommender.dataset.users.ids.head(12):
        history = history_of(recommender, user)
        item = recommender.recommend(history=history, n=2).items[1].id
        found = explain(recommender, Question.of(recommender, history=history, n=2), item)
        if found.counterfactual is None:
            continue
        n_found += 1
        gone = [one.id for one in found.counterfactual.without]
        others = [one for one in history if one not in gone]
        answer = recommender.recommend(history=others, exclude=gone, n=1000)
        assert found_in(answer, item).rank == found.counterfactual.rank > 2
    assert n_found >= 3


def test_counts_are_those_of_the_data(recommender: Recommender) -> None:
    dataset = recommender.dataset
    item = recommender.recommend(USER, n=1).items[0].id
    found = explain(recommender, Question.of(recommender, USER), item)
    chosen = [set(history_of(recommender, user)) for user in dataset.users.ids]
    assert found.n_events == sum(item in own for own in chosen)
    cited = [one for why in found.reasons for one in why.evidence]
    assert cited
    for one in cited:
        assert one.together == sum({item, one.item.id} <= own for own in chosen)
        assert one.drop > 0


def test_what_may_not_come_is_explained_as_if_it_might(recommender: Recommender) -> None:
    item = recommender.catalog.items.ids[HIDDEN]
    found = explain(recommender, Question.of(recommender, "user 30"), item)
    assert found.barred_by == "hidden"
    assert found.n_candidates == len(recommender.recommend("user 30", n=1000).items) + 1


def test_what_was_met_is_not_explained_by_itself(recommender: Recommender) -> None:
    met = history_of(recommender, USER)[-1]
    found = explain(recommender, Question.of(recommender, USER), met)
    assert found.barred_by == "seen"
    assert met not in [effect.item.id for effect in found.history]


def test_words_are_a_reason_where_they_do_more_than_the_history(recommender: Recommender) -> None:
    titles = dict(zip(recommender.catalog.items.ids, recommender.catalog.titles(), strict=True))
    said = [
        explain(recommender, Question.of(recommender, "user 30", text=titles[item]), item)
        for item in ids_of(recommender.recommend("user 30", n=1000))
        if item != "twin"  # which stands behind all others, whatever is said
    ]
    found = max(said, key=lambda one: one.words.drop)
    assert found.words.drop > max(effect.drop for effect in found.history)
    assert found.words.rank > found.rank
    assert "matches_your_words" in [why.code for why in found.reasons]
    silent = explain(recommender, Question.of(recommender, "user 30"), found.item.id)
    assert silent.words is None
    assert "matches_your_words" not in [why.code for why in silent.reasons]


def titled(recommender: Recommender, row: int, title: str) -> Recommender:
    """Give an item another title, which its vector does not know of."""
    catalog = recommender.catalog
    titles = [*catalog.titles()[:row], title, *catalog.titles()[row + 1 :]]
    frame = catalog.frame.with_columns(title=pl.Series(titles))
    dataset = replace(recommender.dataset, catalog=replace(catalog, frame=frame))
    return replace(recommender, dataset=dataset)


def test_only_words_are_shown_that_were_asked_for_and_stand_in_the_text(
    recommender: Recommender,
) -> None:
    named = titled(recommender, 12, "Quixotic marmalade")
    question = Question.of(named, text="quixotic harbour, no marmalade")
    found = Case(named, question, 12, named.scoring)
    assert found.said_of_it() == ("quixotic",)


def test_what_no_source_can_score_has_no_reason_and_no_better_place(
    recommender: Recommender,
) -> None:
    question = Question.of(recommender, USER, n=3)
    deaf = recommender.scoring.trusting(["ease"])
    found = explain(recommender, question, "twin", scoring=deaf)
    assert found.score is None
    assert [why.code for why in found.reasons] == ["fills_the_list"]
    assert why_not(recommender, question, "twin", scoring=deaf).stage == "unscored"


def test_who_chose_nothing_owes_everything_to_the_words(recommender: Recommender) -> None:
    question = Question.of(recommender, text=recommender.catalog.titles()[TWIN])
    found = explain(recommender, question, "twin")
    assert found.history == ()
    assert found.counterfactual is None
    assert found.reasons[0].code in ("matches_your_words", "goes_with_your_words")
    assert not any(why.evidence for why in found.reasons)


def test_what_editors_and_dials_add_is_a_reason(recommender: Recommender) -> None:
    item = recommender.recommend(USER, n=1000).items[3].id
    pushed = np.zeros((1, recommender.dataset.n_items), dtype=np.float32)
    pushed[0, recommender.catalog.items.row(item)] = 9
    question = replace(Question.of(recommender, USER), nudges={"rules": pushed})
    found = explain(recommender, question, item)
    assert (found.rank, found.reasons[0].code) == (1, "chosen_by_editors")
    assert found.contributions["rules"] == pytest.approx(9, rel=0.2)
    turned = Question.of(recommender, USER, dials=Dials(long_tail=1.0))
    assert explain(recommender, turned, "twin").contributions["long_tail"] > 0


def test_a_place_that_the_arrangement_gave_is_told_beside_the_rank(
    recommender: Recommender,
) -> None:
    dials = Dials(diversity=1.0)
    answer = recommender.recommend(USER, n=6, dials=dials)
    question = Question.of(recommender, USER, n=6, dials=dials)
    found = [explain(recommender, question, item.id) for item in answer.items]
    assert [one.place for one in found] == [item.rank for item in answer.items]
    assert any(one.rank != one.place for one in found)


def test_an_unknown_item_is_refused(recommender: Recommender) -> None:
    with pytest.raises(UnknownIdError, match="unknown item 'nope'"):
        explain(recommender, Question.of(recommender), "nope")


def test_of_a_blend_the_sampled_shares_are_the_contributions(recommender: Recommender) -> None:
    item = recommender.recommend(USER, n=1).items[0].id
    question = Question.of(recommender, USER)
    plain = explain(recommender, question, item)
    sampled = explain(recommender, question, item, n_permutations=4)
    assert sampled.contributions["rest"] == 0
    for name, share in sampled.contributions.items():
        if name != "rest":
            assert share == pytest.approx(plain.contributions[name], abs=1e-4)
            assert sampled.errors[name] == pytest.approx(0, abs=1e-4)


@dataclass(frozen=True)
class Agreeing:
    """A ranker that adds something where two sources both like an item: no sum."""

    is_accepted: bool = True

    def reranked(
        self, queries: Queries, scored: Scored, evidence: ItemEvidence, *, masked: Mask
    ) -> Floats:
        likes = np.nan_to_num(scored.scores[1]) * np.nan_to_num(scored.scores[3])
        return scored.blended + np.float32(50) * likes


def test_what_a_ranker_does_is_put_down_to_the_sources_it_reads(recommender: Recommender) -> None:
    ranking = replace(recommender, ranker=Agreeing())
    item = ranking.recommend(USER, n=1).items[0].id
    question = Question.of(ranking, USER)
    part = explain(ranking, question, item)
    assert part.contributions["ranker"] > 0
    shared = explain(ranking, question, item, n_permutations=30)
    assert "ranker" not in shared.contributions
    assert sum(shared.contributions.values()) == pytest.approx(
        sum(part.contributions.values()), rel=1e-3
    )
    assert max(shared.errors.values()) > 0


def changes_of(recommender: Recommender, question: Question, item: str) -> list[Change]:
    return [tried.change for tried in why_not(recommender, question, item).changes]


def last_of(recommender: Recommender, **ask: object) -> str:
    return recommender.recommend(**ask, n=1000).items[-1].id


def test_an_unknown_item_fell_before_all_else(recommender: Recommender) -> None:
    found = why_not(recommender, Question.of(recommender), "twinn")
    assert (found.stage, found.rank) == ("unknown", None)
    assert found.nearest is not None
    assert found.nearest.id == "twin"


def test_what_is_there_is_said_to_be_there(recommender: Recommender) -> None:
    item = recommender.recommend(USER, n=3).items[2].id
    found = why_not(recommender, Question.of(recommender, USER, n=3), item)
    assert (found.stage, found.rank, found.changes) == ("shown", 3, ())


def test_each_stage_is_named(recommender: Recommender) -> None:
    ids = recommender.catalog.items.ids
    excluded = Question.of(recommender, "user 30", exclude=["twin"], n=30)
    ruled = replace(
        excluded, barred={"rule": np.arange(recommender.dataset.n_items) == 0, **excluded.barred}
    )
    met = history_of(recommender, "user 30")[0]
    asked = {ids[HIDDEN]: "hidden", ids[NOT_YET]: "not_available", "twin": "excluded", met: "seen"}
    for item, stage in {**asked, ids[0]: "rule"}.items():
        found = why_not(recommender, ruled, item)
        assert found.stage == stage
        assert stage in found.barred_by
        assert found.changes[0].change.lift == found.barred_by


def test_an_item_with_a_low_score_is_told_its_rank(recommender: Recommender) -> None:
    item = last_of(recommender, user=USER)
    n_allowed = len(recommender.recommend(USER, n=1000).items)
    found = why_not(recommender, Question.of(recommender, USER, n=3), item)
    assert (found.stage, found.rank, found.n_candidates) == ("score", n_allowed, n_allowed)


def test_all_changes_do_let_the_item_in(recommender: Recommender) -> None:
    kinds: set[str] = set()
    for user in recommender.dataset.users.ids.head(8):
        for item in ids_of(recommender.recommend(user, n=1000))[3::3]:
            found = why_not(recommender, Question.of(recommender, user, n=3), item)
            for tried in found.changes:
                answer = asked_otherwise(recommender, user, tried)
                assert item in ids_of(answer), tried
                kinds |= set(tried.change.as_dict())
    assert kinds >= {"n", "long_tail", "touch"}


def test_nobody_is_told_to_choose_what_may_not_come(recommender: Recommender) -> None:
    n_told = 0
    for item in ids_of(recommender.recommend(USER, n=1000))[3:]:
        question = Question.of(recommender, USER, n=3)
        for change in changes_of(recommender, question, item):
            if not change.touch:
                continue
            n_told += 1
            gone = change.touch[0].id
            otherwise = Question.of(recommender, USER, n=3, exclude=[gone])
            others = changes_of(recommender, otherwise, item)
            assert gone not in [one.id for other in others for one in other.touch]
    assert n_told


def asked_otherwise(recommender: Recommender, user: str, tried: Tried) -> Answer:
    change = tried.change
    return recommender.recommend(
        user,
        n=3 if change.n is None else change.n,
        history=[one.id for one in change.touch],
        text="" if change.say is None else change.say,
        dials=Dials(long_tail=change.long_tail or 0.0),
    )


def test_the_dial_is_the_least_that_does(recommender: Recommender) -> None:
    question = Question.of(recommender, USER, n=3)
    for item in ids_of(recommender.recommend(USER, n=1000))[3:]:
        for change in changes_of(recommender, question, item):
            if change.long_tail is not None and change.long_tail > 0.01:
                less = Dials(long_tail=change.long_tail - 0.01)
                assert item not in ids_of(recommender.recommend(USER, n=3, dials=less))
                return
    pytest.fail("the dial let nothing in: the world does not try this")


def test_a_filter_is_relaxed_by_the_clauses_that_are_not_met(recommender: Recommender) -> None:
    condition = "year >= 1980 and year < 1999 and hidden = false"
    question = Question.of(recommender, USER, filter=condition, n=30)
    found = why_not(recommender, question, "twin")
    assert found.stage == "filter"
    assert found.changes[0].change == Change(filter="year >= 1980 and hidden = false")
    answer = recommender.recommend(USER, filter="year >= 1980 and hidden = false", n=30)
    assert "twin" in ids_of(answer)


def test_what_the_arrangement_keeps_out_fell_at_the_dials(recommender: Recommender) -> None:
    dials = Dials(diversity=1.0)
    plain = ids_of(recommender.recommend(USER, n=6))
    arranged = ids_of(recommender.recommend(USER, n=6, dials=dials))
    (item, *_) = [one for one in plain if one not in arranged]
    found = why_not(recommender, Question.of(recommender, USER, n=6, dials=dials), item)
    assert found.stage == "dials"
    assert Change(at_rest=("diversity",)) in [tried.change for tried in found.changes]


def test_what_cannot_be_had_yet_comes_later(recommender: Recommender) -> None:
    item = recommender.catalog.items.ids[NOT_YET]
    later = Question.of(recommender, "user 30", n=30, at=datetime(2101, 1, 1, tzinfo=UTC))
    assert why_not(recommender, later, item).stage == "shown"


def shortlisting(recommender: Recommender) -> Recommender:
    settings = recommender.slate_settings.model_copy(update={"whole_up_to": 0})
    return replace(recommender, slate_settings=settings)


def test_of_a_shortlist_an_item_is_explained_as_of_the_whole(recommender: Recommender) -> None:
    part = shortlisting(recommender)
    for item in ids_of(recommender.recommend(USER, n=5)):
        whole = explain(recommender, Question.of(recommender, USER), item)
        found = explain(part, Question.of(part, USER), item)
        assert found.rank == whole.rank
        assert found.contributions == pytest.approx(whole.contributions, abs=1e-3)


def test_what_no_shortlist_holds_is_asked_of_all(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longtale.blend.shortlist.N_EACH", 1)
    part = shortlisting(recommender)
    unscored = [one.id for one in part.recommend(USER, n=1000).items if one.score is None]
    scored = [one.id for one in recommender.recommend(USER, n=1000).items if one.score is not None]
    hidden = [item for item in unscored if item in scored]
    assert hidden
    for item in hidden:
        whole = explain(recommender, Question.of(recommender, USER), item)
        assert explain(part, Question.of(part, USER), item).rank == whole.rank
        assert why_not(part, Question.of(part, USER, n=1), item).stage == "score"
