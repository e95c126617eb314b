"""Takes personal data out of free text before it is kept, logged or put in a prompt."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longtale.privacy.accounts import cards, ibans
from longtale.privacy.credentials import secrets
from longtale.privacy.kind import Found, Kind
from longtale.privacy.national_ids import national_ids
from longtale.privacy.online import emails, handles, ips, urls
from longtale.privacy.people import birth_dates, names
from longtale.privacy.phones import phones
from longtale.privacy.places import addresses, postcodes
from longtale.privacy.scan import HIDDEN, plain

Finder = Callable[[str], Iterable[Found]]

_FINDERS: tuple[Finder, ...] = (
    urls, emails, secrets, ibans, cards, national_ids, phones, ips,
    addresses, postcodes, birth_dates, names, handles,
)  # fmt: skip
"""Where two find the same, the first says what it is."""
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(Kind)})\]")
_ROUNDS = 8
"""What is found may uncover what stood too close to it; that the rounds are bounded keeps the time
linear."""


@dataclass(frozen=True)
class Masked:
    """A text without personal data.

    Args:
        text: with `[kind]` in place of what was found.
        found: what was found, by its places in the text as it came, in order.
    """

    text: str
    found: tuple[Found, ...]


def mask(text: str) -> Masked:
    """Take personal data out of a text.

    Takes time linear in the length of the text, and changes nothing in a text that it has made.

    Example:
        >>> mask("Call me on +44 20 7946 0018 or write to ann@example.org").text
        'Call me on [phone] or write to [email]'
    """
    readable = plain(text)
    there = [match.span() for match in _PLACEHOLDER.finditer(text)]
    found: list[Found] = []
    for _ in range(_ROUNDS):
        more = _found_beside(readable, sorted([*there, *((f.start, f.end) for f in found)]))
        if not more:
            break
        found += more
    found.sort()
    return Masked(_replaced(text, found), tuple(found))


def mask_values(value: Any) -> Any:
    """Take personal data out of every string in a JSON value; keys and numbers stay.

    Example:
        >>> mask_values({"note": ["ann@example.org", 4]})
        {'note': ['[email]', 4]}
    """
    root = [value]
    open_places: list[tuple[Any, Any]] = [(root, 0)]  # no recursion: a value may be a thousand deep
    while open_places:
        holder, place = open_places.pop()
        inner = holder[place]
        if isinstance(inner, str):
            holder[place] = mask(inner).text
        elif isinstance(inner, Mapping):
            holder[place] = dict(inner)
            open_places += [(holder[place], key) for key in inner]
        elif isinstance(inner, list | tuple):
            holder[place] = list(inner)
            open_places += [(holder[place], key) for key in range(len(inner))]
    return root[0]


def _found_beside(text: str, known: Sequence[tuple[int, int]]) -> list[Found]:
    """Find personal data in a text in which one sign stands for each known place."""
    pieces: list[str] = []
    kept: list[tuple[int, int]] = []  # where each piece begins, in what is read and in the text
    at = length = 0
    for start, end in [*known, (len(text), len(text))]:
        kept.append((length, at))
        pieces += [text[at:start], HIDDEN]
        length += start - at + 1
        at = end
    read = "".join(pieces[:-1])
    found = []
    for each in _apart(each for finder in _FINDERS for each in finder(read)):
        begins, origin = kept[bisect_right(kept, (each.start, len(text))) - 1]
        shift = origin - begins
        found.append(Found(each.start + shift, each.end + shift, each.kind))
    return found


def _apart(found: Iterable[Found]) -> Iterator[Found]:
    """Join what overlaps; the longest says what it is, and of equals the first."""
    joined: Found | None = None
    longest = 0
    for each in sorted(found, key=lambda each: each.start):
        if joined is None or each.start >= joined.end:
            if joined is not None:
                yield joined
            joined, longest = each, each.end - each.start
            continue
        n = each.end - each.start
        kind = each.kind if n > longest else joined.kind
        joined, longest = Found(joined.start, max(joined.end, each.end), kind), max(n, longest)
    if joined is not None:
        yield joined


def _replaced(text: str, found: Sequence[Found]) -> str:
    pieces, at = [], 0
    for each in found:
        pieces += [text[at : each.start], f"[{each.kind}]"]
        at = each.end
    return "".join([*pieces, text[at:]])
