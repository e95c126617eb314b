from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longtale.arrays import Floats, Rows
from longtale.recommend.answer import Reason
from longtale.recommend.pipeline import Recommender
from longtale.recommend.reasons import Cited, reason, reasons

TITLES = ("One", "Two", "Three", "Four")


@dataclass
class Speaking:
    """Says of each item of the history what it was told to say, whatever the item."""

    by_row: dict[int, float]

    def evidence(self, history: Rows, items: Rows) -> Floats:
        spoken = [self.by_row.get(int(row), 0.0) for row in history]
        return np.repeat(np.float32(spoken)[:, None], len(items), axis=1)


def reasons_of(
    shares: dict[str, float],
    history: list[int],
    citing: dict[str, Speaking] | None = None,
    *,
    has_words: bool = False,
) -> tuple[Reason, ...]:
    (found,) = reasons(
        tuple(shares),
        np.float32(list(shares.values()))[:, None],
        np.array(history, dtype=np.int32),
        np.array([9], dtype=np.int32),
        citing=citing or {},
        named=lambda row: Cited(f"i{row}", TITLES[row]),
        has_words=has_words,
    )
    return found


def test_meaning_without_evidence_speaks_of_the_words_that_were_said() -> None:
    (found,) = reasons_of({"semantic": 1.0}, [0], has_words=True)
    assert found.code == "matches_your_words"


def test_meaning_cites_the_history_it_rests_on() -> None:
    speaking = Speaking({0: 0.9, 1: 0.8, 2: -1.0})
    (found,) = reasons_of({"semantic": 1.0}, [2, 1, 0], {"semantic": speaking}, has_words=True)
    assert (found.code, found.evidence) == ("like_what_you_chose", ("i0", "i1"))
    assert found.text == "it is close in meaning to 'One' and 'Two'"


def test_what_nothing_spoke_for_says_so() -> None:
    (found,) = reasons_of({"popular": 0.0, "semantic": -1.0}, [0])
    assert (found.code, found.weight, found.evidence) == ("fills_the_list", 0.0, ())


def test_up_to_three_reasons_share_what_was_added() -> None:
    shares = {"popular": 1.0, "als": 2.0, "ease": 3.0, "semantic": 4.0, "cold_map": -5.0}
    found = reasons_of(shares, [0])
    assert [(why.code, round(why.weight, 6)) for why in found] == [
        ("like_what_you_chose", 0.4),
        ("chosen_together", 0.3),
        ("people_like_you", 0.2),
    ]


def test_sources_of_one_reason_cite_together_by_what_they_added() -> None:
    citing = {"ease": Speaking({0: 1.0}), "item_knn": Speaking({1: 1.0})}
    (mostly_ease,) = reasons_of({"ease": 3.0, "item_knn": 1.0}, [1, 0], citing)
    assert mostly_ease.evidence == ("i0",)
    (both,) = reasons_of({"ease": 2.0, "item_knn": 1.9}, [1, 0], citing)
    assert both.evidence == ("i0", "i1")


def test_what_was_touched_long_ago_speaks_less() -> None:
    (found,) = reasons_of({"ease": 1.0}, [0, *[2] * 1, 3, 1], {"ease": Speaking({0: 1, 1: 0.9})})
    assert found.evidence == ("i1", "i0")


def test_who_chose_nothing_is_told_of_their_words_only() -> None:
    found = reasons_of({"ease": 1.0, "semantic": 2.0}, [], has_words=True)
    assert [why.code for why in found] == ["matches_your_words", "goes_with_your_words"]
    assert not any("what you chose" in why.text for why in found)


def test_editors_are_a_reason() -> None:
    assert reason("chosen_by_editors", 1.0) == Reason(
        "chosen_by_editors", "the editors put it forward", 1.0, ()
    )


def test_every_cited_id_is_in_the_history(recommender: Recommender) -> None:
    dataset = recommender.dataset
    n_cited = 0
    for row, user in enumerate(dataset.users.ids):
        own = set(dataset.items.ids_of(dataset.histories(np.array([row])).items))
        for item in recommender.recommend(user, n=5).items:
            cited = {one for why in item.reasons for one in why.evidence}
            assert cited <= own
            n_cited += len(cited)
            assert sum(why.weight for why in item.reasons) < 1 + 1e-6
    assert n_cited > 0
