"""The reasons there are: which part of a score gives which, and how each is said.

Each part of a score stands for one reason, and parts that say the same for the same one. A reason
that goes by a history is another one for somebody who has none, and said in words what they want:
items that suit these words stand in for the history. The page `docs/explanations.md` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Saying:
    """How a reason is said, as what follows "because"; `{}` is where its evidence is named."""

    english: str
    chinese: str


FILLS = "fills_the_list"
BY_WORDS = "matches_your_words"
BY_IMAGINED = "goes_with_your_words"
ALIKE = "like_what_you_chose"
TOGETHER = "chosen_together"
SAYINGS: Mapping[str, Saying] = {
    "popular": Saying("it is chosen more often than the average item", "它比一般的条目更常被选择"),
    "popular_now": Saying(
        "it is chosen more often lately than the average item", "它近来比一般的条目更常被选择"
    ),
    TOGETHER: Saying("it is often chosen together with {}", "它常与{}一起被选择"),
    "chosen_after": Saying("it is often chosen after {}", "人们常在{}之后选择它"),
    "goes_with_what_you_chose": Saying(
        "it goes with {}, by what people choose and by its words",
        "从大家的选择和它的文字来看，它与{}相配",
    ),
    ALIKE: Saying("it is close in meaning to {}", "它的内容与{}相近"),
    "people_like_you": Saying("people with your taste chose it", "与您口味相近的人选择了它"),
    "suits_people_like_you": Saying(
        "its description suits people with your taste", "它的描述适合与您口味相近的人"
    ),
    "next_for_people_like_you": Saying(
        "it is a likely next step after what you chose", "它很可能是您的下一个选择"
    ),
    BY_WORDS: Saying("it is close in meaning to your words", "它的内容与您说的相近"),
    BY_IMAGINED: Saying("it goes with items that suit your words", "它与符合您所说的条目相配"),
    "your_taste": Saying("it goes with what you chose before", "它与您以前的选择相配"),
    "suits_you_in_all": Saying(
        "all that is known of you and of it speaks for it", "综合来看，它适合您"
    ),
    "less_known": Saying(
        "it is less known, and you asked for such", "它较少为人所知，而您想要这样的"
    ),
    "chosen_by_editors": Saying("the editors put it forward", "编辑推荐了它"),
    "you_asked_for_such": Saying("it goes with what you asked for more of", "它符合您希望多看到的"),
    FILLS: Saying("nothing that suits better is left", "没有更合适的条目了"),
}
CITING = frozenset(code for code, saying in SAYINGS.items() if "{}" in saying.english)
"""Codes whose sentence names items of the history."""
_CODES: Mapping[str, str] = {
    "popular": "popular",
    "rising": "popular_now",
    "item_knn": TOGETHER,
    "ease": TOGETHER,
    "sequence_linear": "chosen_after",
    "text_ease": "goes_with_what_you_chose",
    "semantic": ALIKE,
    "user_knn": "people_like_you",
    "als": "people_like_you",
    "cold_map": "suits_people_like_you",
    "sequence": "next_for_people_like_you",
    "sequence_text": "next_for_people_like_you",
    "taste": "your_taste",
    "ranker": "suits_you_in_all",
    "long_tail": "less_known",
    "rules": "chosen_by_editors",
    "wishes": "you_asked_for_such",
}
OF_HISTORY = CITING | {
    "people_like_you",
    "suits_people_like_you",
    "next_for_people_like_you",
}
"""Codes of what goes by the history."""


def code_of(source: str, *, has_history: bool, has_words: bool) -> str:
    """Give the reason for which a part of the score stands.

    Args:
        source: name of a retriever, of a dial, or of what else adds to a score.
        has_history: whether the asker chose anything before.
        has_words: whether the asker said in words what they want.

    Example:
        >>> code_of("ease", has_history=True, has_words=False)
        'chosen_together'
        >>> code_of("ease", has_history=False, has_words=True)
        'goes_with_your_words'
    """
    code = _CODES[source]
    if has_history or not has_words or code not in OF_HISTORY:
        return code
    return BY_WORDS if code == ALIKE else BY_IMAGINED
