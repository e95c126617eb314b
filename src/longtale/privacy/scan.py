"""How the finders read a text: words of any script but Chinese, Japanese, Korean; cues; digits.

All patterns repeat over one set of characters that what follows cannot begin with, or a bounded
number of times, so that reading takes time linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

HIDDEN = "\ufffc"
"""Stands in a text that is read for what was found in it before: neither word nor space."""
CJK = r"\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters that are written without spaces between words."""
LETTER = rf"[^\W\d_{CJK}]"
"""A letter of a script that puts spaces between words."""
SIGN = rf"[^\W{CJK}]"
"""What a word or number of such a script is made of."""
BEGINS = rf"(?<![^\W{CJK}])"
"""No word, nor number, goes on from here to the left."""
ENDS = rf"(?![^\W{CJK}])"
"""No word, nor number, goes on from here to the right."""
CAPITAL = r"[A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĚĞĢĪİĶĹĻĽŁŃŅŇŌŐŔŘŚŜŞŠŢŤŪŮŰŹŻŽΑ-ΩА-ЯЁ]"

_RUN = re.compile(rf"[+(]{{0,2}}{BEGINS}(?<![A-Za-z]-)\d(?:[ ().\-/]{{0,3}}\d)*")
_EXTENDED = re.compile(r"x\d")
"""How an extension follows a telephone number."""
_IS_CJK = re.compile(f"[{CJK}]")
_LAST_LETTERED = 0x20000
"""Digits and spaces of all scripts stand before it."""


@cache
def _plain_letters() -> dict[int, str]:
    """Give the plain sign for each wide, curly or foreign form of it, one for one."""
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table |= dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63"), "-")
    table |= dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u00b4"), "'")
    for code in range(128, _LAST_LETTERED):
        kind = unicodedata.category(chr(code))
        if kind == "Nd":
            table[code] = str(unicodedata.decimal(chr(code)))
        elif kind == "Zs":
            table[code] = " "
    return table


def plain(text: str) -> str:
    """Give the text of the same length with plain digits, spaces, dashes and wide letters.

    Example:
        >>> plain("１３８－٠٠١٣")
        '138-0013'
    """
    return text if text.isascii() else text.translate(_plain_letters())


def any_of(words: str) -> str:
    """Give a pattern for one of some words, separated by white space; `_` stands for a space."""
    found = sorted(words.split(), key=len, reverse=True)
    return "(?:" + "|".join(re.escape(word).replace("_", r"\s") for word in found) + ")"


def words(listed: str) -> tuple[str, ...]:
    """Give words that are listed with spaces between; `_` stands for a space within one."""
    return tuple(word.replace("_", " ") for word in listed.split())


def says(text: str, words: Iterable[str]) -> bool:
    """Say whether any of some words, in small letters, stands in a text.

    Patterns take far longer, so what they cannot find without one of these words is not sought.
    """
    small = text.lower()
    return any(word in small for word in words)


def before(text: str, place: int, n: int = 40) -> str:
    """Give the n characters before a place."""
    return text[max(0, place - n) : place]


@dataclass(frozen=True)
class Group:
    """Digits without anything between them.

    Args:
        start: place of the first.
        end: place behind the last.
        digits: themselves.
        sign: what stands before them since the last group.
    """

    start: int
    end: int
    digits: str
    sign: str


def runs(text: str, fewest: int) -> Iterator[list[Group]]:
    """Give groups of digits that only a few signs keep apart, of so many digits or more."""
    for match in _RUN.finditer(text):
        if match.end() - match.start() < fewest:
            continue
        groups: list[Group] = []
        at = match.start()
        for part in re.finditer(r"\d+", match.group()):
            start, end = match.start() + part.start(), match.start() + part.end()
            groups.append(Group(start, end, part.group(), text[at:start]))
            at = end
        goes_on = text[at : at + 1]
        is_extended = _EXTENDED.match(text, at) is not None
        if goes_on.isalnum() and not _IS_CJK.match(goes_on) and not is_extended:
            groups.pop()
        if groups:
            yield groups


def joined(groups: Iterable[Group]) -> str:
    """Give the digits of some groups in a row."""
    return "".join(group.digits for group in groups)
