"""Why an item is not there: the stage at which it fell, and the smallest change that lets it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from longtale.arrays import Mask
from longtale.data.filters.syntax import And
from longtale.data.filters.syntax import parse as parse_syntax
from longtale.data.filters.tokens import tokens_of
from longtale.explain.explanation import Named

UNKNOWN, SHOWN, UNSCORED, SCORE, DIALS = "unknown", "shown", "unscored", "score", "dials"
"""Stages besides the masks: there is no such item; it is there; no source can say anything of it;
others have better scores; its score would do, and what arranges the slate put others before it."""
LONGEST = 1000
"""Slates beyond this length are no change that anybody would make."""
_NEAR = 2
"""A slate of up to this many times the length is the smallest change of all."""
_STEPS = 100
"""The long-tail dial is turned by hundredths."""
_ENDS = (100, 75, 50, 25)
"""Turns that are looked at first: fully turned, the dial may lift others past the item."""


@dataclass(frozen=True)
class Change:
    """What is asked otherwise; all at rest asks the same again.

    Args:
        lift: stages that let this one item through.
        filter: another condition on the attributes.
        at_rest: dials that are turned back.
        n: another length of the slate.
        long_tail: another turn of this dial.
        touch: items to choose first.
        say: words to say.
    """

    lift: tuple[str, ...] = ()
    filter: str | None = None
    at_rest: tuple[str, ...] = ()
    n: int | None = None
    long_tail: float | None = None
    touch: tuple[Named, ...] = ()
    say: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give what is changed as plain values."""
        plain = {
            **vars(self),
            "lift": list(self.lift),
            "at_rest": list(self.at_rest),
            "touch": [item.as_dict() for item in self.touch],
        }
        return {name: value for name, value in plain.items() if value not in (None, [])}


@dataclass(frozen=True)
class Place:
    """What an answer says of the item.

    Args:
        rank: by score among all that may come, from 1.
        n_candidates: how many may come.
        is_scored: whether any source could score it.
        is_in: whether it is in the slate.
    """

    rank: int
    n_candidates: int
    is_scored: bool
    is_in: bool


Ask = Callable[[Change], Place]
"""Asks again with something changed; nothing is claimed that was not asked."""


@dataclass(frozen=True)
class Tried:
    """A change that was tried and lets the item in, at which rank by score."""

    change: Change
    rank: int

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {**self.change.as_dict(), "rank": self.rank}


@dataclass(frozen=True)
class WhyNot:
    """Why an item is not in a slate.

    Args:
        item: which; the title of an unknown one is its id.
        stage: where it fell first: `unknown`, a mask's name, `unscored`, `score`, `dials`; or
            `shown`.
        barred_by: names of all masks that keep it out, in their order.
        n: length of the slate.
        rank: its place by score, were it let through; None where there is no such item.
        n_candidates: how many may come.
        changes: what lets it in, each tried, the smallest first.
        nearest: for an unknown id, the one that is meant perhaps.
    """

    item: Named
    stage: str
    n: int
    barred_by: tuple[str, ...] = ()
    rank: int | None = None
    n_candidates: int = 0
    changes: tuple[Tried, ...] = ()
    nearest: Named | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        return {
            **vars(self),
            "item": self.item.as_dict(),
            "nearest": self.nearest and self.nearest.as_dict(),
            "barred_by": list(self.barred_by),
            "changes": [tried.as_dict() for tried in self.changes],
        }


def bars(barred: Mapping[str, Mask], row: int) -> tuple[str, ...]:
    """Give the names of the masks that keep an item out, in their order."""
    return tuple(name for name, mask in barred.items() if mask[row])


def stage_of(barred_by: Sequence[str], place: Place, *, n: int) -> str:
    """Give where an item fell first, from what bars it and where it would stand."""
    if barred_by:
        return barred_by[0]
    if place.is_in:
        return SHOWN
    if not place.is_scored:
        return UNSCORED
    return SCORE if place.rank > n else DIALS


def changes(
    ask: Ask,
    let: Change,
    *,
    n: int,
    long_tail: float,
    others: Sequence[Sequence[Change]],
) -> Iterator[Tried]:
    """Give what lets an item in, each tried before it is given, the smallest change first.

    To be let through may be enough. If not, on top of it, one at a time: a slate up to twice as
    long, then other dials, items to choose first, words to say, and last a longer slate still.

    Args:
        ask: asks again.
        let: what lets the item through all that bars it; at rest where nothing does.
        n: length of the slate.
        long_tail: how far this dial is turned.
        others: further changes, of each kind the smallest first; one of a kind is given.
    """
    place = ask(let)
    if place.is_in:
        if let != Change():
            yield Tried(let, place.rank)
        return
    longer = [replace(let, n=place.rank)] if n < place.rank <= LONGEST else []
    is_near = place.rank <= _NEAR * n
    dial = _least_turn(ask, let, long_tail)
    kinds = [longer if is_near else [], dial, *others, [] if is_near else longer]
    for kind in kinds:
        for change in kind:
            found = ask(_on_top(let, change))
            if found.is_in:
                yield Tried(_on_top(let, change), found.rank)
                break


def least(is_in: Callable[[int], bool], start: int, end: int) -> int | None:
    """Find by halving the first step behind `start` at which something holds; None if at none.

    Args:
        is_in: whether it holds at a step; from where it first holds on it is taken to hold.
        start: a step at which it does not.
        end: the last step that may be tried.

    Example:
        >>> least(lambda step: step >= 37, 0, 100)
        37
    """
    if start >= end or not is_in(end):
        return None
    while end - start > 1:
        middle = (start + end) // 2
        if is_in(middle):
            end = middle
        else:
            start = middle
    return end


def _least_turn(ask: Ask, let: Change, long_tail: float) -> list[Change]:
    def is_in(step: int) -> bool:
        return ask(replace(let, long_tail=step / _STEPS)).is_in

    found = (least(is_in, int(long_tail * _STEPS), end) for end in _ENDS)
    turn = next((turn for turn in found if turn is not None), None)
    return [] if turn is None else [Change(long_tail=turn / _STEPS)]


def _on_top(let: Change, change: Change) -> Change:
    return replace(change, lift=let.lift, filter=let.filter)


def clauses(text: str) -> list[str]:
    """Give the conditions of a filter that must all hold, as they were written.

    Example:
        >>> clauses("year >= 1990 and (genres has 'Drama' or year = 1950)")
        ['year >= 1990', "(genres has 'Drama' or year = 1950)"]

    Raises:
        FilterError: the text is no filter.
    """
    if not isinstance(parse_syntax(text), And):
        return [text.strip()]
    depth, start, found = 0, 0, []
    for token in tokens_of(text):
        depth += (token.sign == "(") - (token.sign == ")")
        if depth == 0 and token.sign == "and":
            found.append(text[start : token.position].strip())
            start = token.position + len(token.shown)
    return [*found, text[start:].strip()]


def relaxed(text: str, meets: Callable[[str], bool]) -> str:
    """Give the filter without the conditions that an item does not meet; blank if none is left."""
    return " and ".join(clause for clause in clauses(text) if meets(clause))
