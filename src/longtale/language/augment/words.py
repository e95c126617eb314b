"""Texts with words left out, and their parts in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def with_words_dropped(text: str, *, share: float, rng: np.random.Generator) -> str:
    """Leave out each word with the same probability; one stays always.

    What stays keeps its order (random deletion of Wei & Zou 2019, arXiv:1901.11196). Runs of white
    space become one space.

    Args:
        text: words between white space.
        share: probability that a word is left out, 0 to 1.
        rng: the dice.

    Example:
        >>> with_words_dropped("a film about the sea", share=0.5, rng=np.random.default_rng(1))
        'a film the'
    """
    words = text.split()
    if not words:
        return ""
    lots = rng.random(len(words))
    is_kept = lots >= share
    is_kept[lots.argmax()] = True
    return " ".join(word for word, kept in zip(words, is_kept, strict=True) if kept)


def with_parts_shuffled(
    parts: Sequence[str], *, rng: np.random.Generator, n_fixed: int = 0
) -> list[str]:
    """Put the parts of an item's text (title, creators, categories ...) into a random order.

    Blank parts are left out. A model that reads them in any order cannot lean on where something
    stands.

    Args:
        parts: in the order in which they are usually read.
        rng: the dice.
        n_fixed: so many of the first parts stay where they are, such as 1 for the title.

    Example:
        >>> with_parts_shuffled(["Heat", "", "Crime"], rng=np.random.default_rng(0), n_fixed=1)
        ['Heat', 'Crime']
    """
    fixed, loose = parts[:n_fixed], parts[n_fixed:]
    ordered = [*fixed, *(loose[k] for k in rng.permutation(len(loose)))]
    return [part for part in ordered if part.strip()]
