"""What speaks for an item: the parts of its score as reasons, and the items that are cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Rows
from longtale.explain.codes import FILLS, code_of

N_REASONS = 3
"""Most reasons of one item."""
LEAST_WEIGHT = 0.05
"""A reason that stands for less of what was added is not worth a sentence."""
N_EVIDENCE = 2
"""Most items that a reason cites."""
LEAST_EVIDENCE = 0.5
"""A cited item speaks at least so much as this part of the strongest."""
N_LATEST = 50
"""How many of the last items of a history are looked at."""
HALF_LIFE = 5.0
"""How many items later an item of the history speaks half as much, all sources taken together:
those that know an order forget by half in 1.5 to 4 events, others never do."""


@dataclass(frozen=True)
class Ground:
    """A reason before it is worded.

    Args:
        code: which, see `codes`.
        weight: its share of all that was added to the score, 0 to 1.
        sources: numbers of the sources that stand for it, as in the contributions.
    """

    code: str
    weight: float
    sources: tuple[int, ...]


def grounds(
    sources: Sequence[str], shares: Sequence[float], *, has_history: bool, has_words: bool
) -> list[Ground]:
    """Give the reasons for one item, the weightiest first, at most `N_REASONS`.

    Sources that say the same are one reason. Weights are shares of the positive contributions: what
    was taken away is no reason to be there.

    Args:
        sources: names of the S parts of the score.
        shares: what each of them added.
        has_history: whether the asker chose anything before.
        has_words: whether the asker said in words what they want.

    Example:
        >>> found = grounds(["popular", "ease"], [1.0, 3.0], has_history=True, has_words=False)
        >>> [(ground.code, ground.weight) for ground in found]
        [('chosen_together', 0.75), ('popular', 0.25)]
    """
    added = sum(share for share in shares if share > 0)
    if added <= 0:
        return [Ground(FILLS, 0.0, ())]
    alike: dict[str, list[int]] = {}
    for number, share in enumerate(shares):
        if share > 0:
            code = code_of(sources[number], has_history=has_history, has_words=has_words)
            alike.setdefault(code, []).append(number)
    found = [
        Ground(code, sum(shares[number] for number in numbers) / added, tuple(numbers))
        for code, numbers in alike.items()
    ]
    found.sort(key=lambda ground: -ground.weight)
    return [ground for ground in found[:N_REASONS] if ground.weight >= LEAST_WEIGHT] or found[:1]


def latest(history: Rows, n: int = N_LATEST) -> Rows:
    """Give the last n different items of a history, the latest first.

    Example:
        >>> latest(np.array([4, 7, 4, 2], dtype=np.int32)).tolist()
        [2, 4, 7]
    """
    backwards = history[::-1]
    _, first = np.unique(backwards, return_index=True)
    return backwards[np.sort(first)[:n]]


def credits(speaks: Mapping[int, Floats]) -> dict[int, Floats]:
    """Give the part of each item of the history in what a source adds, each column summing to 1.

    What speaks against an item has no part in it. Older items have less of it, see `HALF_LIFE`.

    Args:
        speaks: by number of the source, what T items of a history, the latest first, speak for K
            items, float32 (T, K).
    """
    found = {}
    for source, spoken in speaks.items():
        ages = np.arange(len(spoken), dtype=np.float32)[:, None]
        heard = np.maximum(spoken, 0) * np.exp2(-ages / np.float32(HALF_LIFE))
        total = heard.sum(axis=0)
        found[source] = np.divide(heard, total, out=np.zeros_like(heard), where=total > 0)
    return found


def strongest(credit: NDArray[np.floating]) -> list[int]:
    """Give the places of what is worth citing, strongest first.

    Args:
        credit: (T,), how much each of T items speaks; what is not positive is never cited.

    Example:
        >>> strongest(np.array([0.1, 0.5, -1.0, 0.4]))
        [1, 3]
    """
    order = np.argsort(-credit, kind="stable")[:N_EVIDENCE].tolist()
    return [
        place
        for place in order
        if credit[place] > 0 and credit[place] >= LEAST_EVIDENCE * credit[order[0]]
    ]
