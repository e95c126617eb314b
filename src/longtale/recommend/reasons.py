"""A reason for each item of a slate, read off the blend's own contributions.

The source that added most gives the code; where its score is a sum over the history, the items of
the history that added most to it are the evidence. No reason is made up: what did not add to the
score is not cited, and an item that nothing spoke for says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longtale.recommend.answer import Reason

_CODES: Mapping[str, str] = {
    "popular": "popular",
    "rising": "popular_now",
    "item_knn": "chosen_together",
    "user_knn": "people_like_you",
    "ease": "chosen_together",
    "als": "people_like_you",
    "semantic": "like_what_you_chose",
    "sequence": "next_for_people_like_you",
    "sequence_text": "next_for_people_like_you",
    "sequence_linear": "chosen_after",
    "text_ease": "chosen_together",
    "cold_map": "like_what_you_chose",
    "taste": "your_taste",
    "ranker": "suits_you_in_all",
    "long_tail": "less_known",
    "rules": "chosen_by_editors",
    "wishes": "you_asked_for_such",
}
_SENTENCES: Mapping[str, str] = {
    "popular": "many people chose it",
    "popular_now": "many people choose it at the moment",
    "chosen_together": "often chosen together with {evidence}",
    "people_like_you": "people with your taste chose it",
    "like_what_you_chose": "close in meaning to {evidence}",
    "matches_your_words": "close in meaning to your words",
    "fills_the_list": "nothing that suits better is left",
    "next_for_people_like_you": "often the next step for people with your history",
    "chosen_after": "often chosen after {evidence}",
    "suits_you_in_all": "all that is known of you and of it speaks for it",
    "less_known": "less known, and you asked for such",
    "chosen_by_editors": "the editors put it forward",
    "you_asked_for_such": "goes with what you asked for more of",
    "your_taste": "goes with what you chose before",
}
N_EVIDENCE = 2


@dataclass(frozen=True)
class Cited:
    """An item of the history that speaks for a recommended one."""

    id: str
    title: str


def strongest(shares: Sequence[float]) -> tuple[int, float]:
    """Give the number of the source that added most, and its part of all that was added."""
    best = max(range(len(shares)), key=shares.__getitem__)
    added = sum(share for share in shares if share > 0)
    return best, shares[best] / added if added > 0 else 0.0


def reason(source: str, weight: float, cited: Sequence[Cited], *, has_words: bool) -> Reason:
    """Put the main reason for one item into a code and words.

    Args:
        source: name of the source that added most.
        weight: its part of all that was added, 0 to 1.
        cited: items of the history that this source's score rests on, strongest first.
        has_words: whether the asker said in words what they want.
    """
    code = _CODES[source] if weight > 0 else "fills_the_list"
    if code == "like_what_you_chose" and has_words and not cited:
        code = "matches_your_words"
    shown = " and ".join(f"'{item.title}'" for item in cited)
    sentence = _SENTENCES[code].format(evidence=shown if cited else "what you chose")
    return Reason(code, sentence, weight, tuple(item.id for item in cited))
