"""Up to three reasons for each item of a slate, read off the blend's own contributions.

What added to the score gives the codes, weighed by its share; the items of the history on which
these parts of the score rest are the evidence. No reason is made up: what did not add to the score
is not cited, and an item that nothing spoke for says so. Here the sources' own words are taken for
what the history did, which costs a fraction of a millisecond; `explaining` asks again instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from longtale.arrays import Floats, Rows
from longtale.contracts import Citing
from longtale.explain.codes import ALIKE, BY_WORDS, CITING, SAYINGS
from longtale.explain.grounds import Ground, credits, grounds, latest, strongest
from longtale.explain.phrases import ENGLISH
from longtale.recommend.answer import Reason


@dataclass(frozen=True)
class Cited:
    """An item of the history that speaks for a recommended one."""

    id: str
    title: str


def reasons(
    sources: Sequence[str],
    shares: Floats,
    history: Rows,
    items: Rows,
    *,
    citing: Mapping[str, Citing],
    named: Callable[[int], Cited],
    has_words: bool,
) -> list[tuple[Reason, ...]]:
    """Give the reasons for each of K items, the weightiest first.

    Args:
        sources: names of the S parts of the score.
        shares: float32 (S, K), what each added to each item.
        history: int32 (n,), what the asker chose, oldest first.
        items: int32 (K,), what is recommended.
        citing: the sources that can say what their scores rest on, by name.
        named: gives an item's id and title.
        has_words: whether the asker said in words what they want.
    """
    chosen = latest(history)
    found = [
        grounds(sources, column, has_history=bool(len(chosen)), has_words=has_words)
        for column in shares.T.tolist()
    ]
    asked = {s for whys in found for why in whys if why.code in CITING for s in why.sources}
    speaks = {s: citing[sources[s]] for s in asked if sources[s] in citing} if len(chosen) else {}
    parts = credits({s: source.evidence(chosen, items) for s, source in speaks.items()})
    return [
        tuple(
            reason(
                _code(why, cited, has_words=has_words), why.weight, [named(row) for row in cited]
            )
            for why in whys
            for cited in [_cited(why, place, shares, parts, chosen)]
        )
        for place, whys in enumerate(found)
    ]


def reason(code: str, weight: float, cited: Sequence[Cited] = ()) -> Reason:
    """Put one reason into words.

    Args:
        code: which, see `explain.codes`.
        weight: its share of all that was added, 0 to 1.
        cited: items of the history that it rests on, strongest first.
    """
    shown = ENGLISH.listed([ENGLISH.titled(item.title) for item in cited] or [ENGLISH.own])
    sentence = SAYINGS[code].english.format(shown)
    return Reason(code, sentence, weight, tuple(item.id for item in cited))


def _cited(
    why: Ground, place: int, shares: Floats, parts: Mapping[int, Floats], chosen: Rows
) -> list[int]:
    if why.code not in CITING:
        return []
    own = [shares[s, place] * parts[s][:, place] for s in why.sources if s in parts]
    if not own:
        return []
    return [int(chosen[t]) for t in strongest(np.sum(own, axis=0))]


def _code(why: Ground, cited: Sequence[int], *, has_words: bool) -> str:
    return BY_WORDS if why.code == ALIKE and has_words and not cited else why.code
