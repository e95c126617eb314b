from __future__ import annotations

from longtale.explain.words import CommonWords, words_of

TEXTS = [*["a film of the sea"] * 30, "war film of the sea", "war and tea", "quiet tea"]


def test_shared_words_stand_in_both_texts_the_rarest_first() -> None:
    common = CommonWords.of(TEXTS)
    assert common.shared("quiet war film", "war film: quiet sea") == ("quiet", "war")


def test_words_that_most_items_have_are_not_shown() -> None:
    assert CommonWords.of(TEXTS).shared("the film", "the film") == ()


def test_chinese_is_matched_by_pairs_of_signs() -> None:
    assert words_of("科幻片") == ["科幻", "幻片"]
    assert CommonWords.of(TEXTS).shared("科幻", "一部科幻电影") == ("科幻",)


def test_short_words_and_numbers_are_passed_over() -> None:
    assert words_of("1.75 mm of PLA, 1999") == ["pla"]
