"""Personal data of nobody in sentences, to try what finds it: the same under the same seed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from longtale.privacy import check_digits
from longtale.privacy.kind import Found, Kind

Part = Literal["develop", "judge"]

_FIRST_DAY, _N_DAYS = date(1940, 1, 1), 21_900  # to the end of 1999
_BRACES = re.compile(r"\{(\w+)\}")
_SIGNS: Mapping[str, str] = {
    "#": "0123456789",
    "%": "123456789",
    "§": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "~": "abcdefghijklmnopqrstuvwxyz0123456789",
    "^": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
}
_SEPARATORS = re.compile(r"[\s./()-]")
_HOLE = "[]"


@dataclass(frozen=True)
class SeededText:
    """A text with personal data at known places.

    Args:
        text: what somebody might have written.
        planted: the personal data in it.
    """

    text: str
    planted: tuple[Found, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The personal data as they stand in the text."""
        return tuple(self.text[each.start : each.end] for each in self.planted)


def seeded_texts(
    rng: np.random.Generator, n: int, *, part: Part = "judge", kinds: Sequence[Kind] = tuple(Kind)
) -> list[SeededText]:
    """Give n texts, one kind of personal data in each, the kinds in turn.

    Args:
        rng: the dice.
        n: how many.
        part: which forms and sentences; see `seeded.toml`.
        kinds: which kinds.

    Example:
        >>> text = seeded_texts(np.random.default_rng(0), 1, kinds=[Kind.IBAN])[0]
        >>> text.values[0] in text.text
        True
    """
    forms = _Forms(rng, part)
    return [forms.text(kinds[place % len(kinds)]) for place in range(n)]


@cache
def _written() -> Mapping[str, Any]:
    return tomllib.loads(files("longtale.privacy").joinpath("seeded.toml").read_text("utf-8"))


class _Forms:
    """Draws from the forms and sentences of one part."""

    def __init__(self, rng: np.random.Generator, part: Part) -> None:
        self._rng = rng
        self._written = _written()[part]

    def text(self, kind: Kind) -> SeededText:
        """Draw a sentence with a value, sometimes with another sentence before or behind it."""
        written = self._written[kind]
        before, _, after = self._one_of(written["sentences"]).partition(_HOLE)
        form = self._one_of(written["forms"])
        value = self._value(*([form] if isinstance(form, str) else form))
        plain: list[str] = self._written["lists"]["plain"]
        between = "\n" if "\n" in value else " "
        if self._rng.random() < 0.3:
            before = f"{self._one_of(plain)}{between}{before}"
        if self._rng.random() < 0.3:
            after = f"{after}{between}{self._one_of(plain)}"
        start, end = len(before) + value.find("«"), len(before) + value.find("»") - 1
        if "«" not in value:
            start, end = len(before), len(before) + len(value)
        value = value.replace("«", "").replace("»", "")
        return SeededText(before + value + after, (Found(start, end, kind),))

    def _value(self, form: str, check: str = "") -> str:
        """Draw what a form stands for until its check digits agree."""
        is_valid: Callable[[str], bool] = getattr(check_digits, check) if check else lambda _: True
        while True:
            value = self._filled(form)
            core = value.partition("«")[2].partition("»")[0] or value
            if is_valid(_SEPARATORS.sub("", core).upper()):
                return value

    def _filled(self, form: str) -> str:
        day = _FIRST_DAY + timedelta(days=int(self._rng.integers(_N_DAYS)))
        words = {
            "yyyy": f"{day.year}",
            "yy": f"{day.year % 100:02}",
            "mm": f"{day.month:02}",
            "dd": f"{day.day:02}",
            "dm": f"{day.day}",
        }

        def drawn(match: re.Match[str]) -> str:
            name = match.group(1)
            return words[name] if name in words else self._one_of(self._written["lists"][name])

        parts = re.split("(\\{hash\\})", form)
        return "".join(
            "#" if part == "{hash}" else self._signs(_BRACES.sub(drawn, part)) for part in parts
        )

    def _signs(self, form: str) -> str:
        return "".join(self._one_of(_SIGNS[sign]) if sign in _SIGNS else sign for sign in form)

    def _one_of(self, among: Sequence[Any]) -> Any:
        return among[int(self._rng.integers(len(among)))]
