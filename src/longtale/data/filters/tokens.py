"""The tokens of filters: words, quoted names, signs, and values read into Python's own."""

from __future__ import annotations

import math
import re
from typing import NamedTuple, NoReturn

from longtale.errors import FilterError

MAX_CHARACTERS = 4096
MAX_INTEGER = 2**64
KEYWORDS = frozenset(
    ["and", "or", "not", "in", "has", "contains", "is", "missing", "true", "false"]
)
QUOTES = "'\"`"
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<word>[^\W\d]\w*(?:\.\w+)*)
      | (?P<name>`(?:[^`]|``)+`)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<sign><=|>=|==|!=|[=<>(),])""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of a filter, as it was written and where; the last token has kind `end`."""

    kind: str
    shown: str
    position: int

    @property
    def sign(self) -> str:
        """The keyword in lower case, or the sign; empty for names, values and the end."""
        word = self.shown.lower()
        is_sign = self.kind == "sign" or (self.kind == "word" and word in KEYWORDS)
        return word if is_sign else ""


def pointed_error(text: str, position: int, message: str) -> FilterError:
    """Make an error that shows the place in the filter with a caret below it."""
    start = max(0, position - 60)
    line = "".join(c if c.isprintable() else " " for c in text[start : position + 40])
    return FilterError(f"{message}\n  {line}\n  {' ' * (position - start)}^")


def tokens_of(text: str) -> list[Token]:
    """Cut a filter into tokens, without the spaces between them.

    Raises:
        FilterError: The text is too long, a quote is not closed, or a character has no meaning.
    """
    if len(text) > MAX_CHARACTERS:
        raise FilterError(
            f"the filter has {len(text)} characters, more than {MAX_CHARACTERS}: shorten it"
        )
    for position, character in enumerate(text):
        if "\ud800" <= character <= "\udfff":
            raise pointed_error(text, position, "half a character stands here; take it out")
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _refuse_character(text, position)
        if match.lastgroup and match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), position))
        position = match.end()
    return [*found, Token("end", "", len(text))]


def value_of(token: Token, text: str) -> str | int | float | bool | None:
    """Read the value that a token stands for; None when it is no value."""
    if token.kind == "text":
        return _unquoted(token, text)
    if token.kind == "number":
        return _number(token, text)
    return {"true": True, "false": False}.get(token.sign)


def _refuse_character(text: str, position: int) -> NoReturn:
    character = text[position]
    if character in QUOTES:
        message = f"the {character} that opens here is empty or not closed with another {character}"
    else:
        message = (
            f"a filter has no use for the character {character!r} here; "
            "put text into quotes and unusual column names into `backticks`"
        )
    raise pointed_error(text, position, message)


def _number(token: Token, text: str) -> int | float:
    shown = token.shown
    rough = float(shown)
    is_whole = shown.lstrip("+-").isdecimal()
    if not math.isfinite(rough) or (is_whole and abs(int(shown)) >= MAX_INTEGER):
        message = "this number is out of range; whole numbers have at most 64 bits"
        raise pointed_error(text, token.position, message)
    return int(shown) if is_whole else rough


def _unquoted(token: Token, text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            message = rf"'{match[0]}' is no escape; allowed are \\ \' \" \n \t"
            raise pointed_error(text, token.position + 1 + match.start(), message)
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", character, token.shown[1:-1], flags=re.DOTALL)
