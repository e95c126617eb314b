"""Words that two texts have in common, the rarest first: what meaning can be shown by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

N_WORDS = 3
"""Most words that are shown."""
MOST_ITEMS = 0.1
"""A word in more than this part of the items tells none of them from another."""
_READ = 5_000
"""How many items are read to learn how rare a word is."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_SHORTEST = 3
_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")


def words_of(text: str) -> list[str]:
    """Give the words of a text in lower case, each once; Chinese, unparted, as pairs of signs.

    A word has three letters or more; numbers tell little of what a text is about.

    Example:
        >>> words_of("War, war! 科幻片")
        ['war', '科幻', '幻片']
    """
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if run := _HAN.fullmatch(word):
            found += [run[0][at : at + 2] for at in range(len(word) - 1)]
        elif len(word) >= _SHORTEST:
            found.append(word)
    return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class CommonWords:
    """How many items have each word, told from some thousand of them."""

    counts: Counter[str]
    n_items: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Read the texts of items, evenly spread over all of them."""
        read = texts[:: max(1, len(texts) // _READ)]
        return cls(Counter(word for text in read for word in words_of(text)), len(read))

    def shared(self, first: str, second: str) -> tuple[str, ...]:
        """Give words that stand in both texts, the rarest first; none that most items have.

        Example:
            >>> texts = ["a quiet war film", "quiet space film", "film", "film about tea"]
            >>> CommonWords.of(texts * 5).shared("quiet film", "a quiet film of the sea")
            ()
        """
        others = set(words_of(second))
        both = [word for word in words_of(first) if word in others]
        rare = [word for word in both if self.counts[word] <= MOST_ITEMS * self.n_items]
        return tuple(sorted(rare, key=lambda word: self.counts[word])[:N_WORDS])
