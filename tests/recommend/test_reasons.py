from __future__ import annotations

from longtale.recommend.reasons import Cited, reason


def test_meaning_without_evidence_speaks_of_the_words_that_were_said() -> None:
    assert reason("semantic", 0.9, [], has_words=True).code == "matches_your_words"


def test_meaning_cites_the_history_it_rests_on() -> None:
    found = reason("semantic", 0.9, [Cited("i1", "One"), Cited("i2", "Two")], has_words=True)
    assert (found.code, found.evidence) == ("like_what_you_chose", ("i1", "i2"))
    assert found.text == "close in meaning to 'One' and 'Two'"


def test_what_nothing_spoke_for_says_so() -> None:
    assert reason("popular", 0.0, [], has_words=False).code == "fills_the_list"
