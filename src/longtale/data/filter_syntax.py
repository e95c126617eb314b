"""The syntax of filters: text to tokens to a small tree; its grammar stands in `longtale.data.filters`.

A hand-written tokenizer and recursive descent: nothing that a user writes is ever run as code, and the
limits on length, depth and number of conditions keep the work for any text small.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NoReturn

from longtale.errors import FilterError

MAX_CHARACTERS = 4096
MAX_DEPTH = 32
MAX_CONDITIONS = 64
MAX_INTEGER = 2**64


class Operator(StrEnum):
    """What a condition asks of a column."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IN = "in"
    NOT_IN = "not in"
    HAS = "has"
    CONTAINS = "contains"
    MISSING = "is missing"
    PRESENT = "is not missing"


@dataclass(frozen=True)
class Literal:
    """A value as written, and where."""

    value: str | int | float | bool
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Condition:
    """One column, one operator and the values that it needs: none, one, or several for `in`."""

    column: str
    operator: Operator
    values: tuple[Literal, ...] = ()
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """True where `part` is false."""

    part: Node


@dataclass(frozen=True)
class And:
    """True where all parts are."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """True where any part is."""

    parts: tuple[Node, ...]


type_of_node = Condition | Not | And | Or
